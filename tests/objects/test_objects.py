"""The four objects, judged by independent programs, on clean, dirty and real exams."""

import re
from dataclasses import replace
from io import BytesIO

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pypdf import PdfReader

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.findings import Classification, Findings, Measurement, Refusal, Score, Segment
from hilum.objects import write_objects
from hilum.objects.iod.common import series_instance_uid
from tests.drawn import some

from . import exams, validators
from .trees import child

# To lay out a page or a picture takes most of the time: left out where nobody looks at it.
UNPRINTED, UNPICTURED = ("seg", "sr", "sc"), ("seg", "sr", "pdf")
REFUSAL = Refusal("too-thick", "Slices are 6.5 mm apart; the model needs 1 mm.")


def test_clean_exam_is_valid_and_consistent(tmp_path):
    study = exams.write_exam(tmp_path)
    saved = _save(_objects(exams.analysis_of(study, study.series[0])), tmp_path)
    _assert_valid(saved)
    sources = sorted(tmp_path.glob("[0-9]*.dcm"))
    assert validators.dcentvfy(*saved.values(), *sources) == []


def test_repeated_run_writes_identical_bytes(tmp_path):
    study = exams.write_exam(tmp_path)
    first = _bytes(_objects(exams.analysis_of(study, study.series[0])))
    again = _bytes(_objects(exams.analysis_of(study, study.series[0])))
    assert first == again


@pytest.mark.parametrize(
    "change",
    [
        {"workitem_id": "w-2"},
        {"module": replace(exams.MODULE, version="1.1")},
        {"module": replace(exams.MODULE, weights_sha256="00" * 32)},
    ],
)
def test_changed_run_gets_new_uids(tmp_path, change):
    study = exams.write_exam(tmp_path)
    one = exams.analysis_of(study, study.series[0])
    before, after = _objects(one), _objects(replace(one, **change))
    assert all(before[kind].SOPInstanceUID != after[kind].SOPInstanceUID for kind in before)


@pytest.mark.parametrize(("encoding", "written"), [("binary", "BINARY"), ("ohif", "FRACTIONAL")])
def test_segmentation_voxels_equal_the_masks(tmp_path, encoding, written):
    study = exams.write_exam(tmp_path)  # 30 x 27 pixels: no multiple of 8
    analysis = exams.analysis_of(study, study.series[0])
    objects = _objects(analysis, kinds=("seg",), segmentation=encoding)
    path = _save(objects, tmp_path)["seg"]
    assert pydicom.dcmread(path).SegmentationType == written
    segmentation = highdicom.seg.segread(path)
    assert validators.dciodvfy(path) == []
    uids = [i.sop_instance_uid for i in study.series[0].instances]
    stored = segmentation.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=False, assert_missing_frames_are_empty=True
    )
    for number, segment in enumerate(analysis.findings.segments):
        assert np.array_equal(stored[..., number] > 0, segment.mask.array)
    volume = segmentation.get_volume(combine_segments=False)
    assert np.allclose(volume.spacing, study.series[0].volume().spacing, atol=1e-4)
    assert segmentation.FrameOfReferenceUID == study.series[0].header.FrameOfReferenceUID


def test_auto_is_binary_where_every_viewer_reads_it(tmp_path):
    study = exams.write_exam(tmp_path, shape=(10, 32, 24))
    objects = _objects(exams.analysis_of(study, study.series[0]), kinds=("seg",))
    assert objects["seg"].SegmentationType == "BINARY"


def test_encodings_have_their_own_uids(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    binary = _objects(analysis, kinds=UNPRINTED, segmentation="binary")
    fractional = _objects(analysis, kinds=UNPRINTED, segmentation="fractional")
    for kind in ("seg", "sr"):
        assert binary[kind].SOPInstanceUID != fractional[kind].SOPInstanceUID
    assert binary["sc"].SOPInstanceUID == fractional["sc"].SOPInstanceUID


def test_report_measures_what_the_masks_hold(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    objects = _objects(analysis, kinds=("seg", "sr"))
    groups = _groups(objects["sr"])
    assert len(groups) == 3
    for number, (group, segment) in enumerate(
        zip(groups, analysis.findings.segments, strict=True), start=1
    ):
        volume = child(group, codes.VOLUME)
        stated = float(volume.MeasuredValueSequence[0].NumericValue)
        assert stated == pytest.approx(segment.mask.array.sum() * 1.5 * 1.2 * 1.0, rel=1e-4)
        unit = volume.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
        assert unit == "mm3"
        assert child(volume, codes.ALGORITHM_NAME).TextValue == "hippocampal-volume"
        assert child(volume, codes.ALGORITHM_VERSION).TextValue == "1.0"
        error = child(volume, codes.MEASUREMENT_UNCERTAINTY)
        assert error.RelationshipType == "HAS PROPERTIES"
        uncertainty = error.MeasuredValueSequence[0]
        assert uncertainty.MeasurementUnitsCodeSequence[0].CodeValue == "mm3"
        assert float(uncertainty.NumericValue) == pytest.approx(0.03 * stated, rel=1e-4)
        reference = child(group, codes.ILLUSTRATION_OF_ROI).ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == objects["seg"].SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number
        assert _area(group) == segment.mask.array.sum()


@pytest.mark.parametrize(("shared", "outlined"), [((6, 7), {6, 7}), ((), {6})])
def test_no_two_labels_lie_on_one_outline(tmp_path, shared, outlined):
    """Where a part is the whole of a slice, only the part is outlined there; one slice stays."""
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    whole = analysis.findings.segments[2]
    parts = [whole.mask.array.copy(), whole.mask.array.copy()]
    for index in range(len(whole.mask.array)):
        if index in shared:
            parts[0][index, :15] = parts[1][index, 15:] = False
        else:
            parts[index < 7][index] = False
    masks = (*parts, whole.mask.array)
    names = ("Part 1", "Part 2", "Whole")
    found = [
        Segment(whole.mask.with_array(mask), whole.code, name)
        for mask, name in zip(masks, names, strict=True)
    ]
    report = _objects(replace(analysis, findings=Findings(tuple(found))), kinds=("seg", "sr"))["sr"]
    uids = [i.sop_instance_uid for i in study.series[0].instances]
    shown = {
        uids.index(item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in _groups(report)[2].ContentSequence
        if item.ValueType == "SCOORD"
    }
    assert shown == outlined


def test_measurement_of_the_whole_series_stands_beside_the_segments(tmp_path):
    study = exams.write_exam(tmp_path)
    whole = Measurement(codes.VOLUME, 3.0, codes.CUBIC_MILLIMETRE)
    objects = _objects(exams.analysis_of(study, study.series[0], whole), kinds=("seg", "sr"))
    assert len(_groups(objects["sr"])) == 3
    derived = child(objects["sr"], codes.DERIVED_IMAGING_MEASUREMENTS)
    assert child(derived, codes.VOLUME).MeasuredValueSequence[0].NumericValue == 3
    _assert_valid(_save(objects, tmp_path))


def test_what_has_no_region_stands_apart_from_the_segments(tmp_path):
    """Viewers stumble over a group without a region beside those with one."""
    study = exams.write_exam(tmp_path)
    series = study.series[0]
    nothing = series.volume().with_array(np.zeros(series.volume().array.shape, bool))
    gone = Segment(nothing, codes.BRAIN, "Gone")
    scores = (Score(codes.BRAIN, "one", 0.25), Score(codes.HIPPOCAMPUS, "other", 0.75))
    found = (gone, Classification(scores, None, "A guess."))
    objects = _objects(exams.analysis_of(study, series, *found), kinds=("seg", "sr"))
    assert len(_groups(objects["sr"])) == 3
    derived = child(objects["sr"], codes.DERIVED_IMAGING_MEASUREMENTS)
    told = {
        str(child(group, codes.TRACKING_IDENTIFIER).TextValue): item.MeasuredValueSequence[0]
        for group in derived.ContentSequence
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }
    numbers = {label: float(measured.NumericValue) for label, measured in told.items()}
    assert numbers == {"Gone": 0, "one": 25, "other": 75}
    _assert_valid(_save(objects, tmp_path))


def test_uncertainty_is_called_one_standard_deviation(tmp_path):
    study = exams.write_exam(tmp_path)
    objects = _objects(exams.analysis_of(study, study.series[0]), kinds=("sr",))
    words = "measurement uncertainty (+/-) is one standard deviation"
    assert words in validators.dsrdump(_save(objects, tmp_path)["sr"])


@pytest.mark.parametrize("label", ["Hippocampus", "Right hippocampus"])
def test_texts_carry_the_side(tmp_path, label):
    """Once: a label that says the side already stays as it is."""
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    whole = replace(analysis.findings.segments[2], label=label, side=codes.RIGHT)
    objects = _objects(replace(analysis, findings=Findings((whole,))), kinds=UNPICTURED)
    name = {"Hippocampus": "Hippocampus, right"}.get(label, label)
    group = _groups(objects["sr"])[0]
    assert child(group, codes.TRACKING_IDENTIFIER).TextValue == name
    segment = objects["seg"].SegmentSequence[0]
    assert segment.SegmentLabel == segment.TrackingID == name
    assert name in _pdf_text(objects["pdf"])


def test_structures_keep_their_tracking_uids(tmp_path):
    """In SEG and SR, and in a result that replaces another one; another study has its own."""
    study = exams.write_exam(tmp_path)
    analysis = exams.result_of(study, study.series[0], exams.pair(study.series[0]))
    first = _tracked(analysis)
    assert len(set(first.values())) == len(first) == 6
    found = analysis.findings.segments
    fewer = replace(analysis, workitem_id="w-2", findings=Findings(found[:0:-1]))
    again = _tracked(fewer)
    assert again == {name: uid for name, uid in first.items() if name in again}
    assert len(again) == 5

    def elsewhere(image: Dataset) -> None:
        image.StudyInstanceUID = derived_uid("test", "another study")

    other = exams.write_exam(tmp_path, elsewhere)
    others = _tracked(exams.result_of(other, other.series[0], exams.pair(other.series[0])))
    assert not set(others.values()) & set(first.values())


def test_equal_structures_have_tracking_uids_of_their_own(tmp_path):
    study = exams.write_exam(tmp_path)
    found = [replace(s, label="Lesion", modifier=None) for s in exams.segments(study.series[0])[:2]]
    objects = _objects(exams.result_of(study, study.series[0], found), kinds=("sr",))
    uids = {child(g, codes.TRACKING_UNIQUE_IDENTIFIER).UID for g in _groups(objects["sr"])}
    assert len(uids) == 2


def test_regions_are_outlines_or_segments(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    outlined, referred = (
        _objects(analysis, kinds=("seg", "sr"), regions=r) for r in ("outlines", "segments")
    )
    assert outlined["seg"].SOPInstanceUID == referred["seg"].SOPInstanceUID
    assert outlined["sr"].SOPInstanceUID != referred["sr"].SOPInstanceUID
    for number, group in enumerate(_groups(referred["sr"]), start=1):
        assert "SCOORD" not in [item.ValueType for item in group.ContentSequence]
        reference = child(group, codes.REFERENCED_SEGMENT).ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == referred["seg"].SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number
        source = child(group, codes.SOURCE_SERIES_FOR_SEGMENTATION)
        assert study.series[0].uid == source.UID
    _assert_valid(_save(referred, tmp_path))
    alone = _objects(analysis, kinds=("sr",), regions="segments")
    assert "SCOORD" in [item.ValueType for item in _groups(alone["sr"])[0].ContentSequence]


def test_another_program_reads_the_numbers(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    objects = _objects(analysis, kinds=("seg", "sr"), regions="segments")
    groups = validators.tid1500reader(_save(objects, tmp_path)["sr"])["Measurements"]
    for number, (group, segment) in enumerate(
        zip(groups, analysis.findings.segments, strict=True), start=1
    ):
        assert group["ReferencedSegment"] == number
        assert group["segmentationSOPInstanceUID"] == objects["seg"].SOPInstanceUID
        (item,) = group["measurementItems"]
        assert float(item["value"]) == pytest.approx(segment.volume_mm3)
        (error,) = item["measurementNumProperties"]
        assert float(error["numPropertyValue"]) == pytest.approx(0.03 * segment.volume_mm3)


@pytest.mark.parametrize("alone", [True, False])
def test_a_structure_that_was_not_found_has_the_volume_0(tmp_path, alone, judge):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    whole = analysis.findings.segments[2]
    nothing = whole.mask.with_array(np.zeros_like(whole.mask.array))
    lesion = Segment(nothing, codes.HIPPOCAMPUS, "Lesion", side=codes.LEFT)
    found = (lesion,) if alone else (lesion, whole)
    objects = _objects(replace(analysis, findings=Findings(found)), kinds=UNPICTURED)
    assert ("seg" in objects) is not alone
    saved = _save(objects, tmp_path)
    assert "Lesion, left: nothing was found, its volume is 0 mL." in validators.dsrdump(saved["sr"])
    if alone:
        (group,) = _groups(objects["sr"])
        assert child(group, codes.TRACKING_IDENTIFIER).TextValue == "Lesion, left"
        assert child(group, codes.VOLUME).MeasuredValueSequence[0].NumericValue == 0
        assert judge.complaints(saved["sr"]) == []
    assert "Lesion, left 0.00 mL" in _pdf_text(objects["pdf"])
    _assert_valid(saved)


def test_side_is_stated_only_if_known(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    whole = analysis.findings.segments[2]
    left = Segment(whole.mask, whole.code, "Left hippocampus", side=codes.LEFT)
    sided = _objects(replace(analysis, findings=Findings((left,))), kinds=("seg", "sr"))
    unsided = _objects(replace(analysis, findings=Findings((whole,))), kinds=("seg", "sr"))
    site = child(_groups(sided["sr"])[0], codes.FINDING_SITE)
    assert child(site, codes.LATERALITY).ConceptCodeSequence[0].CodeValue == codes.LEFT.value
    assert "ContentSequence" not in child(_groups(unsided["sr"])[0], codes.FINDING_SITE)
    kind = sided["seg"].SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
    modifier = kind.SegmentedPropertyTypeModifierCodeSequence[0]
    assert modifier.CodeValue == codes.LEFT.value
    _assert_valid(_save(sided, tmp_path))


@pytest.mark.parametrize("chosen", [True, False])
def test_refusal_says_why_in_three_objects(tmp_path, chosen):
    study = exams.write_exam(tmp_path)
    changes = {} if chosen else {"inputs": {}, "reasons": ("T1: slices are too thick",)}
    analysis = exams.analysis_of(study, study.series[0], **changes)
    objects = _objects(replace(analysis, findings=Findings((REFUSAL,))))
    assert list(objects) == ["sr", "sc", "pdf"]
    saved = _save(objects, tmp_path)
    _assert_valid(saved)
    sentence = "Could not be analysed, because slices are 6.5 mm apart"
    assert sentence in validators.dsrdump(saved["sr"])
    assert sentence in _pdf_text(objects["pdf"])


def test_incomplete_result_names_what_it_replaces(tmp_path):
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    old = _objects(analysis)
    predecessor = tuple((d.SOPClassUID, d.SOPInstanceUID) for d in old.values())
    new = _objects(
        replace(analysis, workitem_id="w-2", incomplete="2 slices", predecessor=predecessor)
    )
    assert new["sr"].CompletionFlag == "PARTIAL"
    assert old["sr"].CompletionFlag == "COMPLETE"
    series = new["sr"].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == old["sr"].SeriesInstanceUID
    assert series.SeriesInstanceUID == series_instance_uid(old["sr"].SOPInstanceUID)
    named = series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == old["sr"].SOPInstanceUID
    for kind in ("seg", "sc"):
        referenced = new[kind].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
        assert referenced == old[kind].SOPInstanceUID
    assert "INCOMPLETE - 2 slices" in _pdf_text(new["pdf"])
    _assert_valid(_save(new, tmp_path))


@pytest.mark.parametrize("script", exams.NAMES)
def test_names_stay_right_in_every_script(tmp_path, script):
    character_set, name = exams.NAMES[script]

    def change(image: Dataset) -> None:
        image.SpecificCharacterSet = character_set
        image.PatientName = name

    study = exams.write_exam(tmp_path, change)
    objects = _objects(exams.analysis_of(study, study.series[0]))
    saved = _save(objects, tmp_path)
    for path in saved.values():
        stored = pydicom.dcmread(path)
        assert str(stored.PatientName) == name
        assert stored.SpecificCharacterSet == character_set
    _assert_valid(saved)


def test_own_text_beyond_the_source_character_set_makes_it_unicode(tmp_path):
    study = exams.write_exam(tmp_path)
    refusal = Findings((Refusal("x", "la série est trop épaisse → 5 mm"),))
    analysis = replace(exams.analysis_of(study, study.series[0]), findings=refusal)
    saved = _save(_objects(analysis), tmp_path)
    assert pydicom.dcmread(saved["sr"]).SpecificCharacterSet == "ISO_IR 192"
    _assert_valid(saved)


JAPANESE = Code("5366008", "SCT", "海馬")


@pytest.mark.parametrize(
    "change",
    [
        lambda segment, volume: (replace(segment, code=JAPANESE), volume),
        lambda segment, volume: (replace(segment, modifier=JAPANESE), volume),
        lambda segment, volume: (replace(segment, category=JAPANESE), volume),
        lambda segment, volume: (replace(segment, label="海馬"), volume),
        lambda segment, volume: (segment, replace(volume, code=JAPANESE)),
        lambda segment, volume: (segment, replace(volume, unit=Code("mm3", "UCUM", "毫升"))),
    ],
)
@pytest.mark.parametrize("declared", [None, "ISO_IR 100"])
def test_every_text_of_a_module_sets_the_character_set(tmp_path, change, declared):
    def declare(image: Dataset) -> None:
        image.SpecificCharacterSet = declared

    study = exams.write_exam(tmp_path, declare)
    analysis = exams.analysis_of(study, study.series[0])
    segment = analysis.findings.segments[2]
    found, measured = change(segment, Measurement(codes.VOLUME, 1.0, codes.CUBIC_MILLIMETRE))
    findings = Findings((found, replace(measured, of=found)))
    saved = _save(_objects(replace(analysis, findings=findings), kinds=("seg", "sr")), tmp_path)
    _assert_valid(saved)
    texts = ""
    for kind in ("seg", "sr"):
        dataset = pydicom.dcmread(saved[kind])
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        texts += str(dataset)
    assert {"海馬", "毫升"} & set(re.findall("[\u3000-\u9fff]+", texts))


@pytest.mark.parametrize("label", ["Härte", "海馬"])
def test_a_score_sets_the_character_set(tmp_path, label):
    study = exams.write_exam(tmp_path)
    score = Score(Code("5366008", "SCT", label), "plain", 0.5)
    findings = Findings((Classification((score,), score, "plain"),))
    analysis = replace(exams.analysis_of(study, study.series[0]), findings=findings)
    saved = _save(_objects(analysis, kinds=("sr",)), tmp_path)
    _assert_valid(saved)
    assert label in str(pydicom.dcmread(saved["sr"]))


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.filterwarnings("ignore:The value length")
def test_dirty_headers_give_valid_objects(tmp_path):
    def spoil(image: Dataset) -> None:
        for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "BodyPartExamined"):
            del image[keyword]
        image.PositionReferenceIndicator = None
        image.SeriesNumber = None
        image.StudyTime = "half past ten"
        image.PatientAge = "sixty"
        del image.FrameOfReferenceUID
        del image.SliceThickness

    study = exams.write_exam(tmp_path, spoil)
    analysis = exams.analysis_of(study, study.series[0])
    saved = _save(_objects(analysis), tmp_path)
    _assert_valid(saved)
    _assert_valid(_save(_objects(replace(analysis, findings=Findings((REFUSAL,)))), tmp_path))


def test_pdf_embeds_its_fonts_and_warns(tmp_path):
    study = exams.write_exam(tmp_path)
    document = _objects(exams.analysis_of(study, study.series[0]), kinds=("pdf",))["pdf"]
    page = PdfReader(BytesIO(document.EncapsulatedDocument)).pages[0]
    for font in page["/Resources"]["/Font"].values():
        (descendant,) = font.get_object()["/DescendantFonts"]
        assert "/FontFile2" in descendant.get_object()["/FontDescriptor"]
    text = page.extract_text()
    for words in (
        "NOT FOR DIAGNOSIS",
        "Roe, Jane",
        "anterior",
        "No technical warning",
        "SHA-256 5f5f5f5f5f5f",
    ):
        assert words in text


@pytest.mark.skipif(not exams.STUDIES.exists(), reason="the real studies are not here")
@pytest.mark.parametrize("name", ["Study1", "Study2"])
def test_real_studies(tmp_path, name):
    study = exams.read_study(exams.STUDIES / name)
    crop = next(s for s in study.series if s.description == "HippoCrop")
    objects = _objects(exams.analysis_of(study, crop))
    saved = _save(objects, tmp_path)
    _assert_valid(saved)
    assert validators.dcentvfy(*saved.values()) == []
    assert objects["seg"].SegmentationType == "BINARY"
    assert all(d.PatientSex for d in objects.values())  # from the sibling series


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", some(["changes", "without segmentation", "refusal", "segments"], every=2)
)
def test_report_obeys_tid_1500(tmp_path, kind, judge):
    study = exams.write_exam(tmp_path, shape=(6, 16, 15))
    analysis = exams.analysis_of(study, study.series[0])
    if kind == "refusal":
        analysis = replace(analysis, findings=Findings((REFUSAL,)), inputs={})
    if kind == "changes":
        analysis = exams.with_changes(analysis)
    kinds = ("sr",) if kind == "without segmentation" else ("seg", "sr")
    regions = "segments" if kind == "segments" else "outlines"
    path = _save(_objects(analysis, kinds=kinds, regions=regions), tmp_path)["sr"]
    assert judge.complaints(path) == []


def _objects(*arguments, **options):
    """The only object of each kind."""
    return dict(write_objects(*arguments, **options))


def _save(objects, folder):
    saved = {}
    for kind, dataset in objects.items():
        saved[kind] = folder / f"result-{kind}.dcm"
        dataset.save_as(saved[kind], enforce_file_format=True)
    return saved


def _bytes(objects):
    written = {}
    for kind, dataset in objects.items():
        file = BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        written[kind] = file.getvalue()
    return written


def _assert_valid(saved):
    for path in saved.values():
        assert validators.dciodvfy(path) == []
        assert validators.dcmftest(path)
    assert validators.dsrdump_complaints(saved["sr"]) == []


def _tracked(analysis):
    """Tracking UID by tracking identifier, the same in both objects."""
    objects = _objects(analysis, kinds=("seg", "sr"))
    names = (codes.TRACKING_IDENTIFIER, codes.TRACKING_UNIQUE_IDENTIFIER)
    groups = [[child(group, name) for name in names] for group in _groups(objects["sr"])]
    in_report = {name.TextValue: uid.UID for name, uid in groups}
    segments = objects["seg"].SegmentSequence
    assert in_report == {item.TrackingID: item.TrackingUID for item in segments}
    return in_report


def _groups(report):
    return list(child(report, codes.IMAGING_MEASUREMENTS).ContentSequence)


def _area(group):
    """Pixels that all outlines of a group enclose."""
    total = 0.0
    for item in group.ContentSequence:
        if item.ValueType == "SCOORD":
            x, y = np.array(item.GraphicData).reshape(-1, 2).T
            total += (x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2
    return total


def _pdf_text(dataset):
    reader = PdfReader(BytesIO(dataset.EncapsulatedDocument))
    return " ".join("\n".join(page.extract_text() for page in reader.pages).split())
