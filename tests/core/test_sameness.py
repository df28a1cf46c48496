"""The same image is known again, however it is encoded and whatever patient it names."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from factory import mr_slices, write
from hilum.dicom.sameness import difference
from hilum.errors import UnreadableError
from phantom import enhanced, instance_of, stack

Change = Callable[[Dataset], object]


def files(folder: Path, change: Change) -> tuple[Path, Path]:
    image = mr_slices(count=1)[0]
    image.RescaleSlope, image.RescaleIntercept = "1", "0"
    other = deepcopy(image)
    change(other)
    return write([image], folder / "one")[0], write([other], folder / "other")[0]


def assigned(keyword: str, value: object) -> Change:
    return lambda ds: setattr(ds, keyword, value)


def compressed(syntax: str) -> Change:
    return lambda ds: ds.compress(syntax, generate_instance_uid=False)


@pytest.mark.parametrize(
    "change",
    [
        assigned("PatientID", "somebody else"),
        assigned("StudyInstanceUID", "1.2.3"),
        assigned("SeriesInstanceUID", "1.2.4"),
        assigned("AccessionNumber", "A2"),
        assigned("SeriesDescription", "another"),
        assigned("RescaleSlope", "1.000"),
        assigned("ImagePositionPatient", ["0.00000", "0", "0.00001"]),
        compressed(RLELossless),
        compressed(JPEGLSLossless),
        compressed(JPEG2000Lossless),
    ],
)
def test_the_same_image(tmp_path: Path, change: Change) -> None:
    assert difference(*files(tmp_path, change)) == ""


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda ds: setattr(ds, "PixelData", ds.PixelData[::-1]), "pixels"),
        (assigned("ImagePositionPatient", [0, 0, 0.01]), "geometry"),
        (assigned("ImageOrientationPatient", [0, 1, 0, 1, 0, 0]), "geometry"),
        (assigned("PixelSpacing", [1, 1.1]), "geometry"),
        (lambda ds: ds.__delattr__("ImagePositionPatient"), "geometry"),
        (assigned("FrameOfReferenceUID", "1.2.3"), "Frame of Reference"),
        (assigned("RescaleSlope", "2"), "pixel values"),
        (lambda ds: ds.__delattr__("RescaleIntercept"), "pixel values"),
        (assigned("Modality", "CT"), "pixel values"),
    ],
)
def test_another_image(tmp_path: Path, change: Change, differs: str) -> None:
    assert difference(*files(tmp_path, change)) == differs


def test_pixels_that_cannot_be_read_are_not_the_same(tmp_path: Path) -> None:
    def cut(ds: Dataset) -> None:
        ds.PixelData = ds.PixelData[:100]

    with pytest.raises(UnreadableError):
        difference(*files(tmp_path, cut))


@pytest.mark.parametrize(("slope", "differs"), [("1.00", ""), ("2", "pixel values")])
def test_the_scale_of_each_frame_counts(tmp_path: Path, slope: str, differs: str) -> None:
    first, *others = stack(count=3)  # another scale than the others, so that each states its own
    image = enhanced([replace(first, rescale=(3.0, 0.0)), *others])
    other = deepcopy(image)
    group = other.PerFrameFunctionalGroupsSequence[1]
    group.PixelValueTransformationSequence[0].RescaleSlope = slope
    one, two = instance_of(image, tmp_path / "one"), instance_of(other, tmp_path / "other")
    assert difference(one.path, two.path) == differs
