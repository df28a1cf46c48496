"""The measurement report: Comprehensive 3D SR, TID 1500 (PS3.3 A.35.13, PS3.16 TID 1500)."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from hilum.config.kinds import Regions
from hilum.dicom import codes
from hilum.dicom.parts import uid_of
from hilum.dicom.uids import MANUFACTURER
from hilum.findings import Structure
from hilum.objects import telling
from hilum.objects.analysis import Analysis
from hilum.objects.iod import common, groups
from hilum.objects.iod import content_tree as tree
from hilum.objects.iod.contours import outlines
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.objects.report.films import Tone
from hilum.results import DICOM

Places = Callable[[Structure], Iterable[Dataset]]  # the items that say where a structure lies

# A report of 104 structures with every outline is some hundred megabytes, which no viewer opens.
MOST_IN_FULL = 32  # structures that are outlined on each of their slices
MOST_SLICES = 8  # that each of more structures is outlined on
THINNED = (
    f"The outlines are thinned: there are {{}} structures, more than {MOST_IN_FULL}, so each is"
    f" outlined on {MOST_SLICES} of its slices at most. All numbers are of the whole structures."
)


def write(
    report: Report, segmentation: Dataset | None = None, regions: Regions = "outlines"
) -> Dataset:
    """One TID 1411 group for each segment, with its outlines or its segment, if that is written.

    Without segments TID 1501 groups: of each film its outcome and one for each score.
    """
    analysis = report.analysis
    dataset = _document(report, segmentation)
    by_segment = segmentation is not None and regions == "segments"

    def places(structure: Structure) -> Iterator[Dataset]:
        return _places(report, structure, segmentation, by_segment)

    content = list(root(report, places, "" if by_segment else _thinned(report)))
    dataset.update(tree.container(codes.IMAGING_MEASUREMENT_REPORT, content, "1500", relation=""))
    found = analysis.findings
    schemes = {code.scheme_designator for finding in found.items for code in finding.codes()}
    if found.classifications or found.changes or codes.OWN_SCHEME in schemes:
        dataset.CodingSchemeIdentificationSequence = [codes.own_scheme()]
    # Another segmentation encoding makes another SEG, thus another report that refers to it.
    variant = f"{segmentation.SOPInstanceUID} {regions}" if segmentation else ""
    return common.stamp(dataset, analysis, "sr", variant)


def _document(report: Report, segmentation: Dataset | None) -> Dataset:
    """SR Document Series and General modules (PS3.3 C.17.1, C.17.2)."""
    analysis = report.analysis
    dataset = Dataset()
    dataset.SOPClassUID = Comprehensive3DSRStorage
    dataset.Modality = "SR"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag = "PARTIAL" if analysis.incomplete else "COMPLETE"
    if report.incomplete:
        dataset.CompletionFlagDescription = report.incomplete[:64]
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.VerificationFlag = "UNVERIFIED"
    evidence = _evidence(analysis, segmentation)
    if evidence:
        dataset.CurrentRequestedProcedureEvidenceSequence = [_study(analysis.study.uid, evidence)]
    if earlier := _earlier(analysis):
        dataset.PertinentOtherEvidenceSequence = earlier
    predecessors = [
        common.series_reference(
            common.series_instance_uid(item.ReferencedSOPInstanceUID),
            [item],
            "ReferencedSOPSequence",
        )
        for item in common.predecessors(analysis, Comprehensive3DSRStorage)
    ]
    if predecessors:
        dataset.PredecessorDocumentsSequence = [_study(analysis.study.uid, predecessors)]
    return dataset


def _study(uid: str, series: list[Dataset]) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = uid
    item.ReferencedSeriesSequence = series
    return item


def _evidence(analysis: Analysis, segmentation: Dataset | None) -> list[Dataset]:
    items = []
    for series in analysis.all_series:
        images = [common.reference(i.sop_class_uid, i.sop_instance_uid) for i in series.instances]
        items.append(common.series_reference(series.uid, images, "ReferencedSOPSequence"))
    if segmentation:
        made = [common.reference(segmentation.SOPClassUID, segmentation.SOPInstanceUID)]
        items.append(
            common.series_reference(segmentation.SeriesInstanceUID, made, "ReferencedSOPSequence")
        )
    return items


def _earlier(analysis: Analysis) -> list[Dataset]:
    """What there is of earlier exams, study by study (PS3.3 C.17.2.3).

    The reports that measurements are compared with, and the images that the module was given.
    """
    studies: dict[str, dict[str, set[tuple[str, str]]]] = {}
    for study_uid, series_uid, sop_class_uid, uid in _of_earlier_exams(analysis):
        series = studies.setdefault(study_uid, {}).setdefault(series_uid, set())
        series.add((sop_class_uid, uid))
    items = []
    for study_uid, in_series in studies.items():
        found = []
        for series_uid, objects in in_series.items():
            references = [common.reference(*one) for one in sorted(objects)]
            found.append(common.series_reference(series_uid, references, "ReferencedSOPSequence"))
        items.append(_study(study_uid, found))
    return items


def _of_earlier_exams(analysis: Analysis) -> Iterator[tuple[str, str, str, str]]:
    """Study, series, SOP class and SOP instance of each object that is referred to."""
    for change in analysis.findings.changes:
        for one in change.earlier:
            yield one.study_uid, one.series_uid, Comprehensive3DSRStorage, one.sop_instance_uid
    for exam in (each for of in analysis.priors.values() for each in of):
        for of_series in exam.images:
            for image in of_series.images:
                named = (of_series.sop_class_uid, uid_of(image))
                yield exam.study_uid, of_series.series_uid, *named


def root(
    report: Report, places: Places = lambda structure: (), thinned: str = ""
) -> Iterator[Dataset]:
    """What the report says, as the items of TID 1500.

    `places` gives where a structure lies, nothing to whoever only wants the numbers. `thinned` is
    the sentence that says that not all of that is there.
    """
    analysis = report.analysis
    yield tree.code(codes.LANGUAGE_OF_CONTENT, codes.ENGLISH, tree.HAS_CONCEPT_MOD)
    yield from _observer(analysis)
    yield tree.code(codes.PROCEDURE_REPORTED, procedure(analysis), tree.HAS_CONCEPT_MOD)
    if report.films:
        yield groups.library(report)
    measured = [_group(report, segment, places(segment)) for segment in report.segments]
    own = telling.groups(report)
    if measured:
        yield tree.container(codes.IMAGING_MEASUREMENTS, [*measured, *own])
        if derived := list(groups.derived(report)):
            yield tree.container(codes.DERIVED_IMAGING_MEASUREMENTS, derived)
    elif without := [*groups.groups(report), *own]:
        yield tree.container(codes.IMAGING_MEASUREMENTS, without)
    yield tree.container(codes.QUALITATIVE_EVALUATIONS, list(_evaluations(report, thinned)))


def procedure(analysis: Analysis) -> Code:
    """What was done with the patient (CID 100), as far as the modality says so."""
    is_mr = analysis.series is not None and analysis.series.modality == "MR"
    return codes.MRI_UNSPECIFIED_BODY_REGION if is_mr else codes.IMAGING_PROCEDURE


def _observer(analysis: Analysis) -> Iterator[Dataset]:
    """TID 1002 and 1004: the algorithm is a device, known by its weights."""
    module, context = analysis.module, tree.HAS_OBS_CONTEXT
    yield tree.code(codes.OBSERVER_TYPE, codes.DEVICE, context)
    yield tree.uid(codes.DEVICE_OBSERVER_UID, analysis.module.device_uid, context)
    yield tree.text(codes.DEVICE_OBSERVER_NAME, module.title, context)
    yield tree.text(codes.DEVICE_OBSERVER_MANUFACTURER, MANUFACTURER, context)
    yield tree.text(codes.DEVICE_OBSERVER_MODEL_NAME, module.name, context)
    yield tree.text(codes.DEVICE_OBSERVER_SERIAL_NUMBER, module.weights_sha256, context)


def _group(report: Report, segment: Structure, places: Iterable[Dataset]) -> Dataset:
    items = [
        *groups.tracking(segment.name, report.tracking_uid_of(segment)),
        tree.code(codes.FINDING, segment.code),
        groups.site(segment),
    ]
    for measurement in report.measurements(segment):
        items += groups.measured(report, measurement)
    return tree.container(codes.MEASUREMENT_GROUP, [*items, *places], "1411")


def _places(
    report: Report, segment: Structure, segmentation: Dataset | None, by_segment: bool
) -> Iterator[Dataset]:
    """TID 1411 is defined by outlines or by a segment (rows 5 and 7), never by both.

    Viewers draw only outlines, machines read the voxels of the segment; where outlines are written,
    row 13 leads to the segment.
    """
    if not by_segment:
        yield from _outlines(report, segment)
    if segmentation:
        name = codes.REFERENCED_SEGMENT if by_segment else codes.ILLUSTRATION_OF_ROI
        uid, number = segmentation.SOPInstanceUID, report.numbered_segments.index(segment) + 1
        yield tree.segment(name, segmentation.SOPClassUID, uid, number)
    if by_segment:
        series = report.analysis.series
        assert series is not None
        yield tree.uid(codes.SOURCE_SERIES_FOR_SEGMENTATION, series.uid)


def _outlines(report: Report, structure: Structure) -> Iterator[Dataset]:
    series = report.analysis.series
    assert series is not None
    places = _to_outline(report, structure)
    if len(report.segments) > MOST_IN_FULL:
        places = _spread(places, MOST_SLICES)
    for place in places:
        flat = structure.inside((slice(place, place + 1), slice(None), slice(None)))[0]
        for points in outlines(series.on_plane(place, flat)):
            source = tree.frame(codes.SOURCE, series.frames[place], tree.SELECTED_FROM)
            yield tree.polyline(codes.IMAGE_REGION, points, source)


def _spread(places: list[int], most: int) -> list[int]:
    """At most so many of `places`, at even distances, none of them at the very end."""
    if len(places) <= most:
        return places
    chosen = (np.arange(most) + 0.5) * len(places) / most
    return [places[number] for number in chosen.astype(int).tolist()]


def _to_outline(report: Report, structure: Structure) -> list[int]:
    """The slices of `structure` without those that a part of it covers alone.

    Viewers write a label at each outline; two on one line cannot be read. One slice always stays:
    a group needs a region.
    """
    covered = np.zeros(len(structure.areas), dtype=bool)
    for part in report.segments:
        if part.voxels < structure.voxels and not part.is_apart(structure):
            covered |= _alike(part, structure)
    filled = structure.areas > 0
    places = np.flatnonzero(filled & ~covered).tolist()
    return places or [int(structure.areas.argmax())]


def _alike(part: Structure, whole: Structure) -> np.ndarray:
    """In which slices both have the same voxels, some: boolean, (slices,)."""
    alike = (part.areas == whole.areas) & (part.areas > 0)
    for place in np.flatnonzero(alike).tolist():
        flat = (slice(place, place + 1), slice(None), slice(None))
        alike[place] = np.array_equal(part.inside(flat), whole.inside(flat))
    return np.asarray(alike)


def _thinned(report: Report) -> str:
    """The sentence that says that not all outlines are there; "" if they are."""
    count = len(report.segments)
    return THINNED.format(count) if count > MOST_IN_FULL else ""


def _evaluations(report: Report, thinned: str) -> Iterator[Dataset]:
    conclusion = report.conclusion
    if report.refusal or (conclusion and conclusion.tone is Tone.REFUSED):
        yield tree.code(codes.PROCESSING_SUMMARY, codes.NO_ALGORITHMS_SUCCEEDED)
    yield from map(groups.outcome, report.whole.classifications)
    for comment in filter(None, (thinned, *report.comments)):
        yield tree.text(codes.COMMENT, comment)


class MeasurementReport:
    """The kind "sr"; it refers to the segmentation."""

    media_type = DICOM
    refers_to = ("seg",)

    def write(self, writing: Writing) -> list[Dataset]:
        before = writing.written.get("seg", ())
        segmentation = next((made for made in before if isinstance(made, Dataset)), None)
        return [write(writing.report, segmentation, writing.regions)]
