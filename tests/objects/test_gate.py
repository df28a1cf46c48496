"""Objects that a module wrote itself: what passes the gate is valid, and of the right patient."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, generate_uid

from hilum.dicom.identity import PATIENT_AND_STUDY
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.part10 import as_file
from hilum.engine import exchange
from hilum.errors import FindingError
from hilum.findings import Findings, OwnObject
from hilum.objects import Analysis, write_objects
from hilum.testing import analysis_of, write_series
from hilum.testing.samples import MODULE

from . import validators

Change = Callable[[Dataset], None]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_series(tmp_path / "exam", count=4)


def as_finding(dataset: Dataset) -> OwnObject:
    return OwnObject(np.frombuffer(as_file(dataset), np.uint8))


def derived(files: Sequence[Path], change: Change = lambda _: None) -> Dataset:
    """What a module makes of an image: its header with other pixels, and the wrong patient."""
    image = pydicom.dcmread(files[0])
    image.SOPInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.StudyInstanceUID = generate_uid()
    image.PatientName, image.PatientID, image.OtherPatientIDs = "Some^One", "other", "third"
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.add_new(0x00091010, "LO", "Some^One")  # private
    request = Dataset()
    request.AccessionNumber, request.RequestedProcedureID = "other", "other"
    image.RequestAttributesSequence = [request]
    change(image)
    return image


def errors(path: Path) -> list[str]:
    return [line for line in validators.dciodvfy(path) if line.startswith("Error")]


def sent(analysis: Analysis) -> list[Dataset]:
    return [content for _, content in write_objects(analysis, ("own",))]


def test_an_image_is_of_the_patient_and_valid(files: list[Path], tmp_path: Path) -> None:
    analysis = analysis_of(files, as_finding(derived(files)))
    (image,) = sent(analysis)
    path = tmp_path / "own.dcm"
    image.save_as(path, enforce_file_format=True)
    complaints = set(errors(path)) - set(errors(files[0]))
    assert not complaints
    first = pydicom.dcmread(files[0])
    for keyword in PATIENT_AND_STUDY:
        assert (image.get(keyword) or "") == (first.get(keyword) or ""), keyword
    assert "other" not in str(image)
    assert "third" not in str(image)
    assert "Some^One" not in str(image)
    references = {item.ReferencedSOPInstanceUID for item in image.SourceImageSequence}
    assert references == {pydicom.dcmread(file).SOPInstanceUID for file in files}
    assert image.SeriesDescription == "AI result: Sample module - not for diagnosis"
    assert image.pixel_array.shape == first.pixel_array.shape
    known = OwnResults({MODULE.device_uid})
    assert Instance.read(path, known).is_own_result  # or it would be analysed when it comes back


def test_the_same_finding_gives_the_same_bytes(files: list[Path], tmp_path: Path) -> None:
    finding = as_finding(derived(files))
    exchange.save(Findings((finding,)), tmp_path / "out")
    again = exchange.load(tmp_path / "out").items
    first, second = (sent(analysis_of(files, *found)) for found in ([finding], again))
    assert [as_file(one) for one in first] == [as_file(one) for one in second]
    assert first[0].SOPInstanceUID != finding.dataset.SOPInstanceUID


@pytest.mark.parametrize("kind", ["seg", "sr", "sc", "pdf"])
def test_every_usual_class_passes(files: list[Path], tmp_path: Path, kind: str) -> None:
    contents = dict(write_objects(analysis_of(files), ("seg", "sr", "sc", "pdf")))
    made = [as_finding(content) for name, content in contents.items() if name in ("seg", kind)]
    for index, written in enumerate(sent(analysis_of(files, *made))):
        path = tmp_path / f"{index}.dcm"
        written.save_as(path, enforce_file_format=True)
        assert errors(path) == []


def test_references_among_own_objects_go_along(files: list[Path]) -> None:
    first = derived(files)
    second = derived(files)
    item = Dataset()
    item.ReferencedSOPClassUID = first.SOPClassUID
    item.ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.SourceImageSequence = [item]
    one, other = sent(analysis_of(files, as_finding(first), as_finding(second)))
    assert other.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.SeriesInstanceUID != other.SeriesInstanceUID


def test_a_reference_to_another_study_is_refused(files: list[Path]) -> None:
    def refer(image: Dataset) -> None:
        item = Dataset()
        item.ReferencedSOPClassUID = image.SOPClassUID
        item.ReferencedSOPInstanceUID = "1.2.3"
        image.SourceImageSequence = [item]

    with pytest.raises(FindingError, match="ReferencedSOPInstanceUID is not of the study"):
        sent(analysis_of(files, as_finding(derived(files, refer))))


def test_plain_pixels_under_a_compressed_syntax_are_put_right(files: list[Path]) -> None:
    image = derived(files)
    content = as_file(image).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.80", 1)
    # the longer UID: the lengths of the element and of its group grow with it
    content = content.replace(
        b"UI\x14\x001.2.840.10008.1.2.4.80", b"UI\x16\x001.2.840.10008.1.2.4.80"
    )
    content = (
        content[:140]
        + (int.from_bytes(content[140:144], "little") + 2).to_bytes(4, "little")
        + content[144:]
    )
    assert pydicom.dcmread(BytesIO(content)).file_meta.TransferSyntaxUID == JPEGLSLossless
    (written,) = sent(analysis_of(files, OwnObject(np.frombuffer(content, np.uint8))))
    assert np.array_equal(written.pixel_array, image.pixel_array)


def _cut(image: Dataset) -> None:
    image.PixelData = image.PixelData[:-2]


def _of_class(uid: str) -> Change:
    return lambda image: setattr(image, "SOPClassUID", uid)


WRONG = {
    "lacks PhotometricInterpretation": lambda i: setattr(i, "PhotometricInterpretation", ""),
    r"has \d+ bytes of pixels; its size needs \d+": _cut,
    "none that a result can have": _of_class("1.2.840.10008.5.1.4.1.1.88.59"),
    "its SOP class is none": _of_class("1.2.3"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_sent_is_refused_where_it_is_made(files: list[Path], message: str) -> None:
    image = derived(files, WRONG[message])
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    with pytest.raises(FindingError, match=message):
        as_finding(image)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 128 + b"DICM", b"{}", b"\0" * 128 + b"DICM\2\0\2"]
)
def test_what_is_no_dicom_file_is_refused(content: bytes) -> None:
    with pytest.raises(FindingError, match="cannot be sent"):
        OwnObject(np.frombuffer(content, np.uint8))


@pytest.mark.filterwarnings("ignore")  # of pydicom, of what is broken
@pytest.mark.parametrize("position", range(132, 700, 29))
def test_a_broken_file_is_refused_or_sent_whole(files: list[Path], position: int) -> None:
    content = bytearray(as_file(derived(files)))
    content[position : position + 3] = b"\xff\xff\xff"
    try:
        finding = OwnObject(np.frombuffer(bytes(content), np.uint8))
        (written,) = sent(analysis_of(files, finding))
    except FindingError:
        return
    assert written.PatientID == "sample"
