from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from highdicom import Volume
from pydicom.dataset import Dataset
from scipy.ndimage import gaussian_filter, zoom

from hilum.dicom.series import Series
from hilum.findings import Findings, Note, Refusal
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.gates import GATES, assess, sharpness
from hilum.modules.hippocampus.inputs import refusal_by_header
from hilum.modules.hippocampus.network import Bounds

from .hippocampi import series_of, thick_made_thin, written

USUAL = dict.fromkeys(GATES, 1.0)
BOUNDS = dict.fromkeys(GATES, Bounds(passes=(0.5, 1.5), refuses=(0.0, None)))


@pytest.fixture(scope="module")
def crop(folder: Path) -> Volume:
    """(x, y, z) to the right, anterior, head."""
    return series_of(folder).volume().to_patient_orientation("RAH")


def refused(module: HippocampalVolume, series: Series) -> Refusal:
    findings = Findings(tuple(module.run(series)))
    assert findings.refusal is not None
    assert len(findings.items) == 1
    return findings.refusal


def noise(voxels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).permutation(voxels.ravel()).reshape(voxels.shape)


ODD: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored left to right": lambda v: v[::-1],
    "upside down": lambda v: v[:, :, ::-1],
    "turned by 180 degrees": lambda v: v[::-1, ::-1],
    "front to back": lambda v: v[:, ::-1],
    "axes confused": lambda v: v.transpose(2, 0, 1),
    "inverted": lambda v: v.max() - v,
    "noise": noise,
    "blank": np.zeros_like,
    "one value": lambda v: np.full_like(v, 100),
    "blurred": lambda v: gaussian_filter(v, 4.0),
    "5 mm slices made thin": lambda v: thick_made_thin(v, 5),
    "4 mm slices repeated": lambda v: thick_made_thin(v, 4, order=0),
    "front half": lambda v: v[:, v.shape[1] // 2 :],
    "back half": lambda v: v[:, : v.shape[1] // 2],
    "lower half": lambda v: v[:, :, : v.shape[2] // 2],
    "outer half": lambda v: v[: v.shape[0] // 2],
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD.keys())
def test_odd_crops_are_refused(
    module: HippocampalVolume,
    crop: Volume,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    voxels = np.ascontiguousarray(change(crop.array))
    odd = Volume(voxels, affine=crop.affine, coordinate_system="PATIENT")
    refusal = refused(module, written(odd, tmp_path))
    assert refusal.code in {gate.code for gate in GATES.values()} | {"nothing-found"}
    assert refusal.sentence.startswith("Could not be analysed, because ")


@pytest.mark.parametrize("description", ["T1 MPRAGE sag", "T2 TSE ax"])
def test_a_head_squeezed_to_the_size_of_a_crop_is_refused(
    module: HippocampalVolume, folder: Path, crop: Volume, tmp_path: Path, description: str
) -> None:
    whole = series_of(folder, description)
    voxels = whole.volume().to_patient_orientation("RAH").array
    small = zoom(voxels, np.array(crop.spatial_shape) / voxels.shape, order=1)
    refused(module, written(crop.with_array(small), tmp_path))


@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [
        ("ContrastBolusAgent", "Gd", "contrast-agent"),
        ("EchoTime", "98", "not-t1"),
        ("MRAcquisitionType", "2D", "two-dimensional"),
        ("SliceThickness", "5", "thick-slices"),
    ],
)
def test_the_acquisition_is_judged_from_the_header(keyword: str, value: str, code: str) -> None:
    header = Dataset()
    header.EchoTime = "3"
    assert refusal_by_header(header) is None
    header.ContrastBolusAgent = "None"
    assert refusal_by_header(header) is None
    setattr(header, keyword, value)
    refusal = refusal_by_header(header)
    assert refusal is not None
    assert refusal.code == code


def test_sharpness_falls_with_thickness_however_slices_are_resampled(
    module: HippocampalVolume, crop: Volume
) -> None:
    assert module.segment.calibration
    bounds = module.segment.calibration.bounds["sharpness"]
    (passes, _), (refuses, _) = bounds.passes, bounds.refuses
    assert passes
    assert refuses
    assert sharpness(crop.array) > passes
    for axes in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        voxels = crop.array.transpose(axes)
        assert refuses < sharpness(thick_made_thin(voxels, 3)) < passes
        assert sharpness(thick_made_thin(voxels, 6)) < refuses
        assert sharpness(thick_made_thin(voxels, 3, order=0)) < 0.4
    assert sharpness(np.zeros_like(crop.array)) == 0


@pytest.mark.parametrize("description", ["T1 MPRAGE sag", "HippoCrop"])
def test_what_calls_itself_no_mr_is_not_applicable(folder: Path, description: str) -> None:
    series = series_of(folder, description)
    for modality in ("CT", "DX", "PT"):
        series.instances[0].header.Modality = modality
        [objection] = HippocampalVolume.needs.objections(series)
        assert objection == f"modality is {modality}, module needs MR"


def test_one_unusual_number_is_a_note_several_are_a_refusal() -> None:
    assert assess(USUAL, BOUNDS) == ()
    one = assess({**USUAL, "entropy": 2.0}, BOUNDS)
    assert isinstance(one, tuple)
    assert [type(note) for note in one] == [Note]
    assert one[0].caution
    assert one[0].sentence.startswith("Low confidence: the model is unsure")
    three = assess({**USUAL, "entropy": 2.0, "one_piece": 2.0, "volume_ml": 2.0}, BOUNDS)
    assert isinstance(three, Refusal)
    assert three.code == "unusual-volume"
    far = assess({**USUAL, "one_piece": -1.0}, BOUNDS)
    assert isinstance(far, Refusal)
    assert far.code == "in-pieces"
