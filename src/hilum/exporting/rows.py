"""What stands in one row of an export: a number of a run, and all that it has to be read with."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from hilum.decision import AssessmentDecision
from hilum.pseudonyms import Pseudonyms
from hilum.records.assessed import last_of_each, standing_with
from hilum.records.exports import ExportedRun
from hilum.summary import Summary
from hilum.summary.numbers import (
    ChangeSummary,
    ClassificationSummary,
    MeasurementSummary,
    SegmentSummary,
)
from hilum.summary.remarks import NoteSummary, RefusalSummary
from hilum.summary.shapes import AngleSummary, LengthSummary

DIMENSIONLESS = "1"  # UCUM


@dataclass(frozen=True)
class ExportedRow:
    """One number of one run; a run without any has one row, in which `kind` is "".

    What names a patient, a study, a series or an image is a pseudonym, or the real thing where the
    export is identified. None is what is not known or does not apply.

    Attributes
    ----------
    state
        That of the workitem.
    refusal
        The code of the refusal of the module, "" if it gave a result.
    incomplete, low_confidence, superseded
        A part of the series is missing; the module has doubts; another run has replaced this one.
    series, images
        The series that were analysed, with a space between, and how many images they have.
    kind
        *measurement*, *change*, *score* of a class, *segment* (its volume), *length* or *angle*.
    what, of, value, uncertainty, unit
        What was measured, of which structure, and the number with its UCUM unit.
    percent_per_year, percent_per_year_uncertainty
        Of a change.
    image
        The film that it was measured in, "" where it is of the whole study.
    assessment
        How the result stands with readers; how many of them said what, by their last words.
    """

    patient: str
    study: str
    study_year: int | None
    workitem: str
    module: str
    version: str
    weights_sha256: str
    state: str
    refusal: str
    incomplete: bool
    low_confidence: bool
    superseded: bool
    series: str
    images: int
    assessment: str
    readers: int
    accepted: int
    rejected: int
    supplemented: int
    study_date: str  # YYYYMMDD
    accession_number: str
    series_description: str
    reasons: str  # of the readers
    kind: str = ""
    what: str = ""
    of: str = ""
    value: float | None = None
    uncertainty: float | None = None
    unit: str = ""
    percent_per_year: float | None = None
    percent_per_year_uncertainty: float | None = None
    image: str = ""


IDENTIFIED_COLUMNS = ("study_date", "accession_number", "series_description", "reasons")
COLUMNS = {field.name: field.type for field in fields(ExportedRow)}


def rows_of(run: ExportedRun, pseudonyms: Pseudonyms | None) -> Iterator[ExportedRow]:
    """The rows of one run; without `pseudonyms` they are identified."""
    plain = _without_number(run, pseudonyms)
    numbers = [
        row for finding in run.item.findings or () for row in _numbers(plain, finding, pseudonyms)
    ]
    yield from numbers or [plain]


def _without_number(run: ExportedRun, pseudonyms: Pseudonyms | None) -> ExportedRow:
    item, findings = run.item, run.item.findings or ()
    used = [verdict for verdict in item.verdicts if verdict.accepted]
    last = last_of_each(run.said)
    decisions = [word.decision for word in last]
    is_identified = pseudonyms is None
    return ExportedRow(
        patient=_named(pseudonyms, "patient", run.patient_id, run.issuer),
        study=_named(pseudonyms, "study", item.study_uid),
        study_year=int(run.study_date[:4]) if run.study_date[:4].isdecimal() else None,
        workitem=_named(pseudonyms, "workitem", item.id),
        module=item.module,
        version=item.version,
        weights_sha256=item.weights_sha256,
        state=item.state,
        refusal=next((f.code for f in findings if isinstance(f, RefusalSummary)), ""),
        incomplete=item.incomplete is not None,
        low_confidence=any(isinstance(f, NoteSummary) and f.caution for f in findings),
        superseded=item.superseded_by is not None,
        series=" ".join(_named(pseudonyms, "series", verdict.series_uid) for verdict in used),
        images=sum(verdict.images for verdict in used),
        assessment=standing_with(run.said),
        readers=len(last),
        accepted=decisions.count(AssessmentDecision.ACCEPTED),
        rejected=decisions.count(AssessmentDecision.REJECTED),
        supplemented=decisions.count(AssessmentDecision.SUPPLEMENTED),
        study_date=run.study_date if is_identified else "",
        accession_number=run.accession_number if is_identified else "",
        series_description="; ".join(v.description for v in used) if is_identified else "",
        reasons="; ".join(w.reason for w in last if w.reason) if is_identified else "",
    )


def _named(pseudonyms: Pseudonyms | None, kind: str, first: str, *more: str) -> str:
    """A pseudonym, or `first` itself where the export is identified."""
    return first if pseudonyms is None else pseudonyms.of(kind, first, *more)


def _numbers(
    plain: ExportedRow, finding: Summary, pseudonyms: Pseudonyms | None
) -> Iterator[ExportedRow]:
    """A row for each number of one finding."""
    row = replace(plain, image=_named(pseudonyms, "image", finding.image or ""))
    match finding:
        case MeasurementSummary():
            yield replace(
                row,
                kind="measurement",
                what=finding.what,
                of=finding.of or "",
                value=finding.value,
                uncertainty=finding.uncertainty,
                unit=finding.unit,
            )
        case ChangeSummary():
            yield replace(
                row,
                kind="change",
                what="change since an earlier exam",
                of=finding.of,
                value=finding.value,
                uncertainty=finding.uncertainty,
                unit=finding.unit,
                percent_per_year=finding.percent_per_year,
                percent_per_year_uncertainty=finding.percent_per_year_uncertainty,
            )
        case SegmentSummary() if finding.volume_ml is not None:
            yield replace(
                row,
                kind="segment",
                what="volume",
                of=finding.label,
                value=finding.volume_ml,
                unit="ml",
            )
        case LengthSummary() | AngleSummary():
            yield replace(
                row,
                kind=finding.kind,
                what=finding.kind,
                of=finding.label,
                value=finding.value,
                unit=finding.unit,
            )
        case ClassificationSummary():
            for label, score in finding.scores.items():
                yield replace(
                    row,
                    kind="score",
                    what=label,
                    of=finding.outcome,
                    value=score,
                    unit=DIMENSIONLESS,
                )
        case _:
            return
