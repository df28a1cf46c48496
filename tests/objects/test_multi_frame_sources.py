"""Results on an enhanced object name its frames, and lie where those lie."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from hilum.dicom.part10 import as_file
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.objects import write_objects
from objects import exams, validators
from phantom import enhanced, instance_of, stack


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Series, dict[str, Dataset]]:
    """Of the second of two echoes that lie in one object, its frames interleaved with the first."""
    planes = [
        replace(plane, attributes={"EchoTime": time}, size=(24, 20))
        for plane in stack(16, 1.5)
        for time in (10.0, 80.0)
    ]
    source = enhanced(planes, BodyPartExamined="BRAIN")
    study = Study.of([instance_of(source, tmp_path_factory.mktemp("enhanced"))])
    series = study.series[0].candidates[1]
    return series, dict(write_objects(exams.analysis_of(study, series)))


def test_segments_name_the_frame_that_they_lie_on(
    results: tuple[Series, dict[str, Dataset]],
) -> None:
    series, made = results
    overlay = made["seg"]
    frames = {frame.number: frame for frame in series.frames}
    assert len(overlay.PerFrameFunctionalGroupsSequence) > 3
    for group in overlay.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == series.instances[0].sop_instance_uid
        there = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(there, frames[source.ReferencedFrameNumber].position)
    (referenced,) = overlay.ReferencedSeriesSequence
    (image,) = referenced.ReferencedInstanceSequence
    assert image.ReferencedSOPInstanceUID == series.instances[0].sop_instance_uid


def test_outlines_name_the_frame_that_they_are_drawn_on(
    results: tuple[Series, dict[str, Dataset]],
) -> None:
    series, made = results
    named = {
        int(item.ReferencedSOPSequence[0].ReferencedFrameNumber)
        for item in _items(made["sr"])
        if item.get("ValueType") == "IMAGE" and item.RelationshipType == "SELECTED FROM"
    }
    assert len(named) > 3
    assert named <= {frame.number for frame in series.frames}


def test_results_are_valid(
    results: tuple[Series, dict[str, Dataset]], tmp_path: Path, judge: validators.Judge
) -> None:
    for kind, dataset in results[1].items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(as_file(dataset))
        assert validators.dciodvfy(path) == []
        assert validators.dcmpschk(path) == []
        if kind == "sr":
            assert judge.complaints(path) == []


def test_another_program_finds_every_voxel_where_it_was_measured(
    results: tuple[Series, dict[str, Dataset]], tmp_path: Path
) -> None:
    series, made = results
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(made["seg"]))
    read = validators.segimage2itkimage(path, tmp_path / "read")
    wanted = [exams.segments(series)[n].mask for n in (0, 1, 2)]
    assert len(read) == len(wanted)
    for voxels, mask in zip(read, wanted, strict=True):
        expected = np.argwhere(mask.array) @ mask.affine[:3, :3].T + mask.affine[:3, 3]
        assert np.allclose(_sorted(voxels), _sorted(expected), atol=1e-3)


def _sorted(points: np.ndarray) -> np.ndarray:
    rounded = np.round(points, 2)
    return points[np.lexsort(rounded.T)]


def _items(dataset: Dataset) -> list[Dataset]:
    found = list(dataset.get("ContentSequence", []))
    return found + [inner for item in found for inner in _items(item)]
