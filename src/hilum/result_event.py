"""The JSON in which a result is told to programs, version 1; its schema follows from these types.

A field may be added without a new version. None that is here changes its meaning.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from hilum.assessments.decision import AssessmentDecision

VERSION: Literal[1] = 1


@dataclass(frozen=True)
class CodedConcept:
    """A concept of DICOM PS3.16: its code, the scheme that the code is of, and the meaning."""

    code: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class ReportedNumber:
    """A number with its UCUM unit; the uncertainty is one standard deviation in the same unit."""

    what: CodedConcept
    value: float
    unit: str
    uncertainty: float | None


@dataclass(frozen=True)
class ReportedGroup:
    """The numbers of one structure, score, film, line, or of the whole result.

    `finding` is what they are about; `side` and `part` are those of a structure; `image` is the one
    image that they were made on.
    """

    name: str
    finding: CodedConcept | None
    side: CodedConcept | None
    part: CodedConcept | None
    image: str | None
    numbers: tuple[ReportedNumber, ...]


@dataclass(frozen=True)
class ReportedOutcome:
    """What a classification decides; null where it abstains. Its scores are among the groups."""

    label: str | None
    code: CodedConcept | None
    image: str | None


@dataclass(frozen=True)
class ReportedRefusal:
    """Why there is no result: a code of the module, and a sentence."""

    code: str
    text: str | None


@dataclass(frozen=True)
class ReportedModule:
    """What made the result; `device_uid` changes exactly when the weights do."""

    name: str
    version: str
    title: str
    weights_sha256: str
    device_uid: str


@dataclass(frozen=True)
class ReportedSeries:
    """A series that was analysed, and how many images of it."""

    series: str | None
    modality: str
    images: int


@dataclass(frozen=True)
class ReportedResult:
    """One version of one result.

    `result` is the same for all versions of what one module says of one study of one patient, so
    that a later one takes the place of an earlier one. What names a patient, a study, a series or
    an image is a pseudonym unless the receiver is told real ones (`identified`); null is what is
    not known, or not told. `accession_number`, `study_date` (YYYYMMDD), `remarks` and the texts of
    refusals and urgencies are told only to such a receiver.
    """

    identified: bool
    result: str | None
    patient: str | None
    patient_issuer: str | None
    study: str | None
    accession_number: str | None
    study_date: str | None
    study_year: int | None
    module: ReportedModule
    series: tuple[ReportedSeries, ...]
    replaces_earlier: bool
    incomplete: bool
    low_confidence: bool
    urgent: bool
    urgencies: tuple[str, ...]
    refusal: ReportedRefusal | None
    groups: tuple[ReportedGroup, ...]
    outcomes: tuple[ReportedOutcome, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class ReportedAssessment:
    """What a reader said of a result; of each reader the last word counts.

    `of` are the `webhook-id` of what was assessed. `reader` is their name, or a pseudonym. `before`
    is what the same reader had said of the same result, if they have changed their mind.
    """

    decision: AssessmentDecision
    of: tuple[str, ...]
    reader: str | None
    before: AssessmentDecision | None


@dataclass(frozen=True)
class ResultEvent:
    """What is sent: a result was made, taken back, or assessed by a reader.

    `timestamp` is when that was. `takes_back` are the `webhook-id` of what is taken back. `reason`
    is what a person says of that, or of the assessment; a receiver of pseudonyms is not told it.
    """

    type: Literal["result.made", "result.withdrawn", "result.assessed"]
    timestamp: datetime
    version: Literal[1]
    notice: str
    takes_back: tuple[str, ...]
    reason: str | None
    data: ReportedResult
    assessment: ReportedAssessment | None = None


_EVENT = TypeAdapter(ResultEvent)


def encoded(event: ResultEvent) -> bytes:
    """The event as JSON in UTF-8."""
    return _EVENT.dump_json(event)


def decoded(content: bytes) -> ResultEvent:
    """An event of ours from its JSON."""
    return _EVENT.validate_json(content)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what is sent; docs/reference/result.schema.json holds it."""
    described = _EVENT.json_schema(mode="serialization")
    return {"$schema": GenerateJsonSchema.schema_dialect, **described}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
