"""The numbers of a result as other programs read them: coded, in the units that registries expect.

The measurement report says them, and so does whatever else is sent to programs: they are equal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.findings import Angle, Change, Classification, Length, Measurement, Structure
from hilum.objects.report import Report


@dataclass(frozen=True)
class CodedNumber:
    """`code` is what it is; `uncertainty` is one standard deviation in the same unit (UCUM)."""

    code: Code
    value: float
    unit: Code
    uncertainty: float | None = None


@dataclass(frozen=True)
class NumberGroup:
    """What belongs together: the numbers of one structure, score, film, line or whole result.

    `finding` is what they are about, `site` where in the body, with its side and part; `image` is
    the SOP Instance UID of the one image that they were made on.
    """

    name: str
    numbers: Sequence[CodedNumber]
    finding: Code | None = None
    site: Structure | None = None
    image: str = ""


def number_groups(report: Report) -> list[NumberGroup]:
    """All numbers of a result, grouped as the measurement report groups them."""
    return [*_of_structures(report), *_of_films(report), *_of_whole(report), *_of_shapes(report)]


def numbers_of(measurement: Measurement, change: Change | None = None) -> list[CodedNumber]:
    """A measurement with its change since the latest earlier exam; volumes in mm3."""
    unit = measurement.unit
    numbers = [CodedNumber(measurement.code, measurement.value, unit, measurement.uncertainty)]
    if change:
        difference = (change.difference, unit, change.difference_uncertainty)
        numbers.append(CodedNumber(codes.CHANGE, *difference))
        if (rate := change.percent_per_year) is not None:
            error = change.percent_per_year_uncertainty
            numbers.append(CodedNumber(codes.CHANGE_PER_YEAR, rate, codes.PERCENT_PER_YEAR, error))
    return [_in_cubic_millimetres(number) for number in numbers]


def _in_cubic_millimetres(number: CodedNumber) -> CodedNumber:
    if number.unit != codes.MILLILITRE:
        return number
    uncertainty = None if number.uncertainty is None else number.uncertainty * 1000
    return CodedNumber(number.code, number.value * 1000, codes.CUBIC_MILLIMETRE, uncertainty)


def _of_structures(report: Report) -> Iterator[NumberGroup]:
    for structure in (*report.segments, *report.empty_segments):
        measured = report.measurements(structure)
        yield NumberGroup(structure.name, _all(report, measured), structure.code, site=structure)


def _of_films(report: Report) -> Iterator[NumberGroup]:
    for film in report.films:
        if numbers := _all(report, film.own.measurements):
            yield NumberGroup(film.name, numbers, image=film.film.uid)
        for classification in film.own.classifications:
            yield from _of_scores(classification, film.film.uid, f"{film.name}: ")


def _of_whole(report: Report) -> Iterator[NumberGroup]:
    whole = [m for m in report.whole.measurements if m.of is None]
    if whole:
        yield NumberGroup(report.title, _all(report, whole))
    for classification in report.whole.classifications:
        yield from _of_scores(classification)


def _of_scores(
    classification: Classification, image: str = "", before: str = ""
) -> Iterator[NumberGroup]:
    """Each score under the finding that it is about, in per cent."""
    for score in classification.scores:
        certainty = CodedNumber(codes.CERTAINTY_OF_FINDING, score.value * 100, codes.PERCENT)
        yield NumberGroup(f"{before}{score.label}", (certainty,), score.code, image=image)


def _of_shapes(report: Report) -> Iterator[NumberGroup]:
    for shape in report.analysis.findings.shapes:
        if isinstance(shape, Length):
            number = CodedNumber(shape.code, shape.value, codes.MILLIMETRE)
        elif isinstance(shape, Angle):
            number = CodedNumber(shape.code, shape.value, codes.DEGREE)
        else:
            continue
        yield NumberGroup(shape.label, (number,), image=shape.image or "")


def _all(report: Report, measured: Sequence[Measurement]) -> list[CodedNumber]:
    return [number for one in measured for number in numbers_of(one, report.change(one))]
