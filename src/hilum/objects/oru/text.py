"""The result as lines of text that a reader takes into a report: numbers first, marked as a draft.

What a module of somebody else says in its own words, such as the names of structures and its
remarks, stays in the language of that module.
"""

from collections.abc import Iterator

from hilum.dicom import codes
from hilum.findings import Classification, Measurement, Structure, Table
from hilum.findings.finding import clause, words
from hilum.objects.oru.words import ReportWords
from hilum.objects.report import Report
from hilum.objects.report.films import FilmReport
from hilum.objects.report.shapes import rows_of_shapes
from hilum.printing import MINUS, percent

MOST_NUMBERS = 60  # lines; there are label maps with hundreds of structures
LONGEST_LINE = 900  # characters; escapes may make it longer


def lines_of(report: Report, said: ReportWords) -> list[str]:
    """The lines, none of them empty or longer than `LONGEST_LINE`."""
    module = report.analysis.module
    made_by = said.made_by.format(title=module.title, version=module.version)
    lines = [said.draft, made_by, *_what_is_wrong(report, said)]
    numbers = [*_numbers(report, said), *_changes(report, said)]
    lines += numbers[:MOST_NUMBERS]
    if (more := len(numbers) - MOST_NUMBERS) > 0:
        lines.append(said.more.format(count=more))
    lines += _outcomes(report, said)
    lines += _remarks(report, said)
    lines.append(said.not_for_diagnosis)
    return [part for line in lines for part in in_parts(line)]


def in_parts(text: str) -> list[str]:
    """`text` in parts of at most `LONGEST_LINE` characters, broken at spaces if there are any."""
    parts = []
    for line in text.splitlines():
        rest = line.strip()
        while len(rest) > LONGEST_LINE:
            end = rest.rfind(" ", 1, LONGEST_LINE)
            end = end if end > 0 else LONGEST_LINE
            parts.append(rest[:end].rstrip())
            rest = rest[end:].lstrip()
        parts.append(rest)
    return [part for part in parts if part]


def _what_is_wrong(report: Report, said: ReportWords) -> Iterator[str]:
    for urgency in report.urgencies:
        yield f"{said.urgent}{said.colon} {said.told(clause(urgency.text))}."
    if refusal := report.analysis.findings.refusal:
        yield f"{said.refused}{said.colon} {said.told(clause(refusal.text))}."
    if report.analysis.incomplete:
        yield f"{said.incomplete}{said.colon} {said.told(clause(report.analysis.incomplete))}."


def _numbers(report: Report, said: ReportWords) -> Iterator[str]:
    for structure in (*report.segments, *report.empty_segments):
        for measurement in report.measurements(structure):
            yield _number(measurement, said)
    for film in report.films:
        for measurement in film.own.measurements:
            yield _of_film(film, _number(measurement, said), said)
    for measurement in report.whole.measurements:
        if measurement.of is None:
            yield _number(measurement, said)
    for row in rows_of_shapes(report.analysis.findings.shapes):
        yield f"{row.label}{said.colon} {_written(row.value, said)} {row.unit}"


def _number(measurement: Measurement, said: ReportWords) -> str:
    printed = str(measurement.quantity.printed())
    return f"{_name(measurement, said)}{said.colon} {_written(printed, said)}"


def _name(measurement: Measurement, said: ReportWords) -> str:
    what = said.names.get(measurement.code.meaning, measurement.code.meaning)
    if measurement.of is None:
        return what
    name = structure_name(measurement.of, said)
    return name if measurement.code == codes.VOLUME else f"{name}, {what}"


def structure_name(structure: Structure, said: ReportWords) -> str:
    """What a reader calls it, with the side in the language where the label does not say it."""
    side, name = structure.side, said.told(structure.label)
    if side is None or side.meaning.lower() in words(structure.label):
        return name
    sides = {codes.LEFT: said.left, codes.RIGHT: said.right}
    return f"{name}, {sides.get(side, side.meaning.lower())}"


def _changes(report: Report, said: ReportWords) -> Iterator[str]:
    for change, row in zip(report.analysis.findings.changes, report.changes, strict=True):
        for step in row.steps:
            value = _written(f"{step.value} {step.rest}", said)
            verdict = f", {said.names.get(step.verdict, step.verdict)}" if step.verdict else ""
            name = _name(change.of, said)
            yield f"{name}{said.colon} {value} {said.since} {step.since}{verdict}"


def _outcomes(report: Report, said: ReportWords) -> Iterator[str]:
    for film in report.films:
        for classification in film.own.classifications:
            yield _of_film(film, _outcome(classification, said), said)
    for classification in report.whole.classifications:
        yield _outcome(classification, said)


def _outcome(classification: Classification, said: ReportWords) -> str:
    outcome = classification.outcome
    label = said.told(outcome.label) if outcome else said.indeterminate
    given = ((said.told(score.label), percent(score.value)) for score in classification.scores)
    scores = ", ".join(f"{name} {value}" for name, value in given)
    basis = said.told(classification.basis)
    return f"{said.most_similar}{said.colon} {label} ({scores}). {basis}"


def _remarks(report: Report, said: ReportWords) -> Iterator[str]:
    findings = report.analysis.findings
    films = {film.film.uid: film for film in report.films}
    for refusal in (r for r in findings.refusals if r.image):
        text = f"{said.refused}{said.colon} {said.told(clause(refusal.text))}."
        yield _of_film(films.get(refusal.image or ""), text, said)
    for note in findings.notes:
        caution = f"{said.low_confidence}{said.colon} {said.told(clause(note.text))}."
        text = caution if note.caution else said.told(note.text)
        yield _of_film(films.get(note.image or ""), text, said)
    for table in findings.of(Table):
        yield from table.sentences


def _of_film(film: FilmReport | None, text: str, said: ReportWords) -> str:
    return f"{said.film} {film.number}{said.colon} {text}" if film and film.count > 1 else text


def _written(number: str, said: ReportWords) -> str:
    """A number as the language writes it."""
    return number.replace(MINUS, "-").replace(".", said.comma)
