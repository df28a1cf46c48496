"""Many structures from one label map: the same voxels and numbers in every encoding."""

from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from hilum.dicom import codes
from hilum.dicom.part10 import as_file
from hilum.findings import Findings, Label, LabelMap, Measurement, Segment
from hilum.objects import Analysis, write_objects
from hilum.objects.iod import sr
from hilum.objects.report import Report
from hilum.objects.report.planes import Views
from tests.drawn import examples

from . import exams, validators
from .trees import child

SHAPE = (6, 16, 16)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    study = exams.write_exam(tmp_path_factory.mktemp("exam"), shape=SHAPE)
    return exams.result_of(study, study.series[0], ())


def mapped(empty: Analysis, labels: np.ndarray, count: int) -> tuple[Analysis, LabelMap]:
    """The analysis that found `labels`, with a table of `count` lines."""
    assert empty.series is not None
    table = tuple(Label(n, codes.BRAIN, f"Structure {n}") for n in range(1, count + 1))
    found = LabelMap(empty.series.volume().with_array(labels), table)
    return replace(empty, findings=Findings((found,))), found


def blocks(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """One structure beside the other, over several slices each."""
    labels = np.zeros(shape, np.int64)
    for value in range(1, count + 1):
        row, column = divmod(value - 1, 8)
        labels[value % 3 : value % 3 + 4, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = (
            value
        )
    return labels


def seg_of(analysis: Analysis, encoding: str) -> Dataset:
    ((_, made),) = write_objects(analysis, ("seg",), encoding)
    assert isinstance(made, Dataset)
    return made


@examples(3, 40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(0, 12), min_size=40, max_size=40), seed=st.integers(0, 99))
def test_any_label_map_has_the_same_voxels_in_both_encodings(
    empty: Analysis, tmp_path_factory: pytest.TempPathFactory, values: list[int], seed: int
) -> None:
    labels = np.random.default_rng(seed).choice(values, SHAPE)
    analysis, found = mapped(empty, labels, 12)
    numbered = Report(analysis).numbered_segments
    if not numbered:
        assert write_objects(analysis, ("seg",), "labelmap") == []
        return
    assert empty.series is not None
    uids = [instance.sop_instance_uid for instance in empty.series.instances]
    folder = tmp_path_factory.mktemp("seg")
    for encoding in ("binary", "labelmap"):
        path = folder / encoding
        path.write_bytes(as_file(seg_of(analysis, encoding)))
        back = highdicom.seg.segread(path)
        assert back.SegmentationType == encoding.upper()
        stored = back.get_pixels_by_source_instance(
            uids, ignore_spatial_locations=False, assert_missing_frames_are_empty=True
        )
        for number, structure in enumerate(numbered):
            value = found.table[found.segments.index(structure)].value
            assert np.array_equal(stored[..., number] > 0, labels == value)


def test_a_label_map_is_one_frame_a_slice_and_compressed(empty: Analysis) -> None:
    analysis, _ = mapped(empty, blocks(24), 24)
    made = seg_of(analysis, "labelmap")
    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert made.file_meta.TransferSyntaxUID == RLELossless
    assert made.NumberOfFrames == SHAPE[0]
    assert len(made.SegmentSequence) == 1 + 24  # the first one is the background
    assert as_file(made) == as_file(seg_of(analysis, "labelmap"))
    binary = seg_of(analysis, "binary")
    assert binary.NumberOfFrames == 24 * 4
    assert binary.SOPInstanceUID != made.SOPInstanceUID


def test_structures_that_overlap_are_binary(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path)
    made = seg_of(exams.analysis_of(study, study.series[0]), "labelmap")
    assert made.SegmentationType == "BINARY"
    assert made.SegmentsOverlap == "YES"


def test_segments_that_share_no_voxel_make_a_label_map_too(empty: Analysis) -> None:
    labels = blocks(3)
    analysis, found = mapped(empty, labels, 3)
    apart = tuple(
        Segment(found.labels.with_array(labels == line.value), line.code, line.label)
        for line in found.table
    )
    of_masks = seg_of(replace(analysis, findings=Findings(apart)), "labelmap")
    assert of_masks.SegmentationType == "LABELMAP"
    assert of_masks.PixelData == seg_of(analysis, "labelmap").PixelData


def test_the_objects_of_a_label_map_are_valid(empty: Analysis, tmp_path: Path) -> None:
    analysis, found = mapped(empty, blocks(12), 13)  # the last one was not found
    own = Measurement(codes.VOLUME, 1.5, codes.MILLILITRE, of=found.segment(3), uncertainty=0.1)
    analysis = replace(analysis, findings=Findings((found, own)))
    written = {
        kind: made
        for kind, made in write_objects(analysis, ("seg", "sr"), "binary")
        if isinstance(made, Dataset)
    }
    for kind, made in written.items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(as_file(made))
        assert validators.dciodvfy(path) == []
    assert validators.dsrdump_complaints(tmp_path / "sr.dcm") == []
    read = validators.segimage2itkimage(tmp_path / "seg.dcm", tmp_path / "dcmqi")
    numbered = Report(analysis).numbered_segments
    assert [len(voxels) for voxels in read] == [structure.voxels for structure in numbered]
    volumes = stated(written["sr"])
    assert volumes.pop("Structure 3") == pytest.approx(1500)
    assert volumes == {
        s.name: pytest.approx(s.voxels * s.voxel_volume)
        for s in found.segments
        if s.voxels and s.value != 3
    }
    comments = [i.TextValue for i in evaluations(written["sr"]) if i.ValueType == "TEXT"]
    assert "Structure 13: nothing was found, its volume is 0 mL." in comments
    assert not any("thinned" in comment for comment in comments)


def test_outlines_of_many_structures_are_thinned_and_the_report_says_so(
    tmp_path: Path,
) -> None:
    study = exams.write_exam(tmp_path, shape=(24, 16, 16))
    empty = exams.result_of(study, study.series[0], ())
    labels = np.zeros((24, 16, 16), int)
    for value in range(1, sr.MOST_IN_FULL + 2):
        row, column = divmod(value - 1, 8)
        labels[:, 3 * row : 3 * row + 2, 2 * column : 2 * column + 2] = value
    analysis, found = mapped(empty, labels, sr.MOST_IN_FULL + 1)
    ((_, report),) = write_objects(analysis, ("sr",))
    assert isinstance(report, Dataset)
    for group in groups(report):
        regions = [i for i in group.ContentSequence if i.ValueType == "SCOORD"]
        assert len(regions) == sr.MOST_SLICES
    said = [i.TextValue for i in evaluations(report) if i.ValueType == "TEXT"]
    assert any("outlines are thinned" in text for text in said)
    volumes = stated(report)
    assert volumes == {s.name: pytest.approx(s.voxels * s.voxel_volume) for s in found.segments}
    full, _ = mapped(empty, np.where(labels > sr.MOST_IN_FULL, 0, labels), sr.MOST_IN_FULL)
    ((_, report),) = write_objects(full, ("sr",))
    assert isinstance(report, Dataset)
    regions = [i for i in groups(report)[0].ContentSequence if i.ValueType == "SCOORD"]
    assert len(regions) == 24


def test_a_picture_shows_a_label_map_as_it_shows_its_masks(empty: Analysis) -> None:
    labels = blocks(12)
    _, found = mapped(empty, labels, 12)
    masks = [
        Segment(found.labels.with_array(labels == s.value), s.code, s.label, colour=s.colour)
        for s in found.segments
    ]
    assert empty.series is not None
    one, other = (Views.of(empty.series, made) for made in (found.segments, masks))
    for view, same in zip((*one.planes, *one.strip), (*other.planes, *other.strip), strict=True):
        assert view.image.tobytes() == same.image.tobytes()


def stated(report: Dataset) -> dict[str, float]:
    """Volume in mm3 by the name of the structure."""
    return {
        child(group, codes.TRACKING_IDENTIFIER).TextValue: float(
            child(group, codes.VOLUME).MeasuredValueSequence[0].NumericValue
        )
        for group in groups(report)
    }


def groups(report: Dataset) -> pydicom.Sequence:
    return child(report, codes.IMAGING_MEASUREMENTS).ContentSequence


def evaluations(report: Dataset) -> pydicom.Sequence:
    return child(report, codes.QUALITATIVE_EVALUATIONS).ContentSequence
