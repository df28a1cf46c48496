import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.errors import MissingPartError
from hilum_lab.network import exam, head


@pytest.fixture(scope="module")
def folder(sample_exam: Path) -> Path:
    return sample_exam


def instances(folder: Path, description: str) -> list[Instance]:
    found = [Instance.read(path) for path in sorted(folder.rglob("*.dcm"))]
    return [i for i in found if i.header.SeriesDescription == description]


def volume(found: list[Instance]) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (slice, row, column) and their affine to LPS mm."""
    voxels = Series.of(found).volume()
    return voxels.array, voxels.affine


def test_it_is_a_usual_brain_exam(folder: Path) -> None:
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for p in folder.rglob("*.dcm")]
    counts = Counter(header.SeriesDescription for header in headers)
    assert tuple(sorted(counts)) == tuple(sorted(exam.SERIES))
    assert 250 <= sum(counts.values()) <= 290
    assert {header.StudyInstanceUID for header in headers} == {exam.study_uid()}
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    assert len({header.FrameOfReferenceUID for header in headers}) == 1


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")
@pytest.mark.parametrize("description", exam.SERIES)
def test_every_series_is_valid_dicom(folder: Path, description: str) -> None:
    for instance in instances(folder, description)[:: 1 if description == "Localizer" else 17]:
        checked = subprocess.run(
            ["dciodvfy", "-new", instance.path], capture_output=True, text=True, check=False
        )
        assert checked.stderr.split() == ["MRImage"]


def test_crop_is_a_piece_of_the_head(folder: Path) -> None:
    crop, crop_affine = volume(instances(folder, "HippoCrop"))
    whole, whole_affine = volume(instances(folder, "T1 MPRAGE sag"))
    indices = np.stack(np.meshgrid(*map(np.arange, crop.shape), indexing="ij")).reshape(3, -1)
    there = np.linalg.inv(whole_affine) @ crop_affine @ np.vstack([indices, np.ones(crop.size)])
    assert (whole[tuple(there[:3].round().astype(int))] == crop.ravel()).all()
    assert crop.shape == (35, 51, 35)


def test_crop_lies_on_the_patients_left(folder: Path) -> None:
    _, affine = volume(instances(folder, "HippoCrop"))
    assert affine[0, 3] > 0  # LPS: left is positive


def test_same_exam_twice_is_the_same_bytes_and_numbers_are_other_patients(tmp_path: Path) -> None:
    crops = [
        exam.make_exam(tmp_path / name, number=number, series=["HippoCrop"])
        for name, number in (("a", 1), ("b", 1), ("c", 2))
    ]
    first, again, other = (sorted(crop.rglob("*.dcm")) for crop in crops)
    assert len(first) == 35
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    one, two = pydicom.dcmread(first[0]), pydicom.dcmread(other[0])
    assert one.PatientID != two.PatientID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert two.StudyInstanceUID == exam.study_uid(2)


def test_missing_head_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "TEMPLATES", tmp_path)
    with pytest.raises(MissingPartError, match="apt-get install mricron-data"):
        exam.make_exam(tmp_path / "exam")
