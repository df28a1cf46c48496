"""Findings without arrays: what the records, traces and `--json` hold of them.

The fields are those of the JSON; `image` is the SOP Instance UID of the film that a finding is of,
None where it is of the whole study.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class MeasurementSummary:
    """A number with its UCUM unit; `uncertainty` in the same unit, `of` a segment's name."""

    what: str
    value: float
    unit: str
    of: str | None = None
    uncertainty: float | None = None
    followed: bool = False
    image: str | None = None
    kind: Literal["measurement"] = "measurement"


@dataclass(frozen=True)
class ChangeSummary:
    """How a measurement changed since an earlier exam, whose day is an ISO date."""

    of: str
    since: str
    value: float
    unit: str
    uncertainty: float
    percent_per_year: float | None = None
    percent_per_year_uncertainty: float | None = None
    image: str | None = None
    kind: Literal["change"] = "change"


@dataclass(frozen=True)
class SegmentSummary:
    """A structure that was outlined."""

    label: str
    voxels: int
    volume_ml: float | None = None
    image: str | None = None
    kind: Literal["segment"] = "segment"


@dataclass(frozen=True)
class ClassificationSummary:
    """A decision between classes; `text` says it in words, `scores` are by class."""

    outcome: str
    text: str
    basis: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    image: str | None = None
    kind: Literal["classification"] = "classification"


@dataclass(frozen=True)
class HeatMapSummary:
    """A picture of what a classification rests on."""

    label: str
    image: str | None = None
    kind: Literal["heat map"] = "heat map"


@dataclass(frozen=True)
class RefusalSummary:
    """Why there is no result: a code, and a sentence."""

    code: str
    text: str
    image: str | None = None
    kind: Literal["refusal"] = "refusal"


@dataclass(frozen=True)
class NoteSummary:
    """A remark; a `caution` says that the result is less certain."""

    text: str
    caution: bool = False
    image: str | None = None
    kind: Literal["note"] = "note"


Summary = Annotated[
    MeasurementSummary
    | ChangeSummary
    | SegmentSummary
    | ClassificationSummary
    | HeatMapSummary
    | RefusalSummary
    | NoteSummary,
    Field(discriminator="kind"),
]
