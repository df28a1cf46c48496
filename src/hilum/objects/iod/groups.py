"""Measurement groups without a region (PS3.16 TID 1501), and what every group is made of."""

from collections.abc import Iterable, Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.findings import Classification, Measurement, Structure
from hilum.objects.analysis import Analysis
from hilum.objects.iod import content_tree as tree
from hilum.objects.report import Report
from hilum.objects.report.films import FilmReport
from hilum.objects.report.numbers import CodedNumber, numbers_of


def library(report: Report) -> Dataset:
    """TID 1600: the films, so that a reader finds each of them without the groups."""
    images = []
    for film in report.films:
        image = _image(codes.SOURCE, film)
        modality = codes.MODALITIES.get(film.film.header.get("Modality"))
        if modality:
            image.ContentSequence = [
                tree.code(codes.MODALITY, modality, tree.HAS_ACQ_CONTEXT),
            ]
        images.append(image)
    group = tree.container(codes.IMAGE_LIBRARY_GROUP, images)
    return tree.container(codes.IMAGE_LIBRARY, [group], "1600")


def groups(report: Report) -> Iterator[Dataset]:
    """All groups of a result without regions: those of its parts, then those of the whole input."""
    yield from _of_parts(report)
    if whole := [m for m in report.whole.measurements if m.of is None]:
        yield group(report, report.title, whole)
    yield from _of_whole_scores(report)


def derived(report: Report) -> Iterator[Dataset]:
    """What a result with regions says besides: numbers of the whole, then groups without a region.

    They stand apart from the groups with a region, because viewers stumble over a TID 1501 group
    beside a TID 1411 group. This place is that of TID 1420.
    """
    for measurement in report.measurements(None):
        yield from measured(report, measurement)
    yield from _of_parts(report)
    yield from _of_whole_scores(report)


def _of_parts(report: Report) -> Iterator[Dataset]:
    """A group for each film, for each of its scores, and for each structure without a voxel."""
    for film in report.films:
        yield group(report, "", film.own.measurements, film, evaluations=_evaluations(film))
        for classification in film.own.classifications:
            yield from _of_scores(report, classification, film)
    for segment in report.empty_segments:
        yield _of_nothing(report, segment)


def _of_whole_scores(report: Report) -> Iterator[Dataset]:
    for classification in report.whole.classifications:
        yield from _of_scores(report, classification)


def outcome(classification: Classification) -> Dataset:
    """The group that the input resembles most; nothing here says that anyone has a disease."""
    value = classification.outcome.code if classification.outcome else codes.INDETERMINATE
    return tree.code(codes.MOST_SIMILAR_GROUP, value)


def _evaluations(film: FilmReport) -> Iterator[Dataset]:
    """Rows 11 and 12: the outcome or why there is none, and every remark."""
    refusal = film.refusal if film.own.refusals else None
    yield from map(outcome, film.own.classifications)
    if refusal:
        yield tree.code(codes.PROCESSING_SUMMARY, codes.NO_ALGORITHMS_SUCCEEDED)
    bases = dict.fromkeys(c.basis for c in film.own.classifications)
    for remark in (refusal, *bases, *(note.sentence for note in film.own.notes)):
        if remark:
            yield tree.text(codes.COMMENT, remark)


def _of_scores(
    report: Report, classification: Classification, film: FilmReport | None = None
) -> Iterator[Dataset]:
    """One group for each score, under the finding that it is about."""
    for score in classification.scores:
        certainty = Measurement(codes.CERTAINTY_OF_FINDING, score.value * 100, codes.PERCENT)
        yield group(report, score.label, [certainty], film, score.code)


def _of_nothing(report: Report, segment: Structure) -> Dataset:
    """The group that says that a structure was not found: without a voxel it has no region."""
    content = tracking(segment.name, report.tracking_uid_of(segment))
    content += [tree.code(codes.FINDING, segment.code), site(segment)]
    for measurement in report.measurements(segment):
        content += measured(report, measurement)
    return tree.container(codes.MEASUREMENT_GROUP, content, "1501")


def site(segment: Structure) -> Dataset:
    """The place in the body, with side and part."""
    given = (
        (codes.LATERALITY, segment.side),
        (codes.TOPOGRAPHICAL_MODIFIER, segment.modifier),
    )
    modifiers = [tree.code(name, value, tree.HAS_CONCEPT_MOD) for name, value in given if value]
    return tree.code(codes.FINDING_SITE, segment.code, tree.HAS_CONCEPT_MOD, modifiers)


def group(
    report: Report,
    name: str,
    measurements: Sequence[Measurement],
    film: FilmReport | None = None,
    finding: Code | None = None,
    evaluations: Iterable[Dataset] = (),
) -> Dataset:
    """TID 1501, its items in the order of the template.

    The film is known by its UID: its number changes when another one comes in.
    """
    shown = (film.name if film else "", name)
    about = (film.film.uid if film else "", *(finding or ())[:2], name)
    content = tracking(": ".join(filter(None, shown)), report.tracking_uid(*about))
    if finding is not None:
        content.append(tree.code(codes.FINDING, finding))
    if not measurements:
        content += algorithm(report.analysis)
    for measurement in measurements:
        content += measured(report, measurement)
    if film is not None:
        content.append(_image(codes.SOURCE_OF_MEASUREMENT, film))
    return tree.container(codes.MEASUREMENT_GROUP, [*content, *evaluations], "1501")


def _image(name: Code, film: FilmReport) -> Dataset:
    instance = film.film.instance
    return tree.image(name, instance.sop_class_uid, instance.sop_instance_uid)


def tracking(label: str, uid: str) -> list[Dataset]:
    """The items by which people and machines know a group again."""
    return [
        tree.text(codes.TRACKING_IDENTIFIER, label, tree.HAS_OBS_CONTEXT),
        tree.uid(codes.TRACKING_UNIQUE_IDENTIFIER, uid, tree.HAS_OBS_CONTEXT),
    ]


def measured(report: Report, measurement: Measurement) -> list[Dataset]:
    """TID 1419 with the algorithm (TID 4019); volumes in mm3, as registries expect.

    The uncertainty, one standard deviation, is a property of its measurement (TID 310 row 5). The
    change since the latest earlier exam follows under a name of its own.
    """
    numbers = numbers_of(measurement, report.change(measurement))
    return [_with_uncertainty(report.analysis, number) for number in numbers]


def _with_uncertainty(analysis: Analysis, number: CodedNumber) -> Dataset:
    properties = []
    if number.uncertainty is not None:
        concept, relation = codes.MEASUREMENT_UNCERTAINTY, tree.HAS_PROPERTIES
        properties = [tree.number(concept, number.uncertainty, number.unit, relation=relation)]
    return tree.number(number.code, number.value, number.unit, [*properties, *algorithm(analysis)])


def algorithm(analysis: Analysis) -> list[Dataset]:
    """TID 4019, with the parameters that the rule sets."""
    module, modifier = analysis.module, tree.HAS_CONCEPT_MOD
    return [
        tree.text(codes.ALGORITHM_NAME, module.name, modifier),
        tree.text(codes.ALGORITHM_VERSION, module.version, modifier),
        *(tree.text(codes.ALGORITHM_PARAMETERS, s, modifier) for s in analysis.settings),
        tree.code(codes.ALGORITHM_FAMILY, codes.ARTIFICIAL_INTELLIGENCE, modifier),
    ]
