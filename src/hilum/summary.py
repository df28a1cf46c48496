"""Findings without arrays: what the records, traces and `--json` hold of them.

The fields are those of the JSON; `image` is the SOP Instance UID of the film that a finding is of,
None where it is of the whole study.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Annotated, Literal, assert_never

from pydantic import Field

from hilum.wording import counted

LONGEST_REFUSAL = 300  # characters


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

    @property
    def subject(self) -> str:
        """What was measured of what, in words."""
        return f"{self.of}, {self.what.lower()}" if self.of else self.what


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


Positions = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PointSummary:
    """A place: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    position: tuple[float, ...]
    image: str | None = None
    kind: Literal["point"] = "point"


@dataclass(frozen=True)
class BoxSummary:
    """A box by two opposite corners: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    corners: Positions
    image: str | None = None
    kind: Literal["box"] = "box"


@dataclass(frozen=True)
class LengthSummary:
    """A distance in mm between two places: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    value: float
    points: Positions
    image: str | None = None
    unit: str = "mm"
    kind: Literal["length"] = "length"


@dataclass(frozen=True)
class AngleSummary:
    """An angle in degrees between lines through (x, y, z) in mm, or (column, row) on an image."""

    label: str
    value: float
    points: Positions
    image: str | None = None
    unit: str = "deg"
    kind: Literal["angle"] = "angle"


@dataclass(frozen=True)
class TableSummary:
    """A table: its title, the names of its columns, and rows of as many texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    image: str | None = None
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class KeyImageSummary:
    """An image to look at, and why."""

    text: str
    image: str
    kind: Literal["key image"] = "key image"


@dataclass(frozen=True)
class UrgencySummary:
    """Why somebody should look at once: a clause."""

    reason: str
    image: str | None = None
    kind: Literal["urgency"] = "urgency"

    @property
    def text(self) -> str:
        """The same as a sentence."""
        return f"Urgent: {self.reason}."


@dataclass(frozen=True)
class DraftSummary:
    """A text that nobody has checked, and the section of a report that it could be taken into."""

    text: str
    section: str = ""
    image: str | None = None
    kind: Literal["draft"] = "draft"


@dataclass(frozen=True)
class OwnObjectSummary:
    """A DICOM object that the module wrote itself: its SOP class by name, and its length."""

    what: str
    bytes: int
    image: str | None = None
    kind: Literal["own object"] = "own object"


@dataclass(frozen=True)
class DrawingSummary:
    """A picture that the module has drawn."""

    label: str
    image: str | None = None
    kind: Literal["drawing"] = "drawing"


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
    | OwnObjectSummary
    | PointSummary
    | BoxSummary
    | LengthSummary
    | AngleSummary
    | TableSummary
    | KeyImageSummary
    | UrgencySummary
    | DraftSummary
    | DrawingSummary
    | RefusalSummary
    | NoteSummary,
    Field(discriminator="kind"),
]


def in_words(finding: Summary) -> str:
    """One finding of the records as a line of text; nothing for those that are pictures only."""
    match finding:
        case MeasurementSummary():
            return _measured(finding)
        case ChangeSummary():
            return _changed(finding)
        case TableSummary() | OwnObjectSummary():
            return _enclosed(finding)
        case KeyImageSummary():
            return f"Image to look at: {finding.text}"
        case DraftSummary():
            return f"Draft, not checked by anybody: {finding.text}"
        case UrgencySummary() | ClassificationSummary() | RefusalSummary() | NoteSummary():
            return finding.text
        case LengthSummary() | AngleSummary():
            return f"{finding.label}: {finding.value:.1f} {_shown(finding.unit)}"
        case PointSummary() | BoxSummary():
            return f"{finding.label}: marked"
        case SegmentSummary() | HeatMapSummary() | DrawingSummary():
            return ""
    assert_never(finding)


def _enclosed(finding: TableSummary | OwnObjectSummary) -> str:
    if isinstance(finding, TableSummary):
        return f"{finding.title}: a table of {counted(len(finding.rows), 'row')}"
    return f"DICOM object of the module: {finding.what.removesuffix(' Storage')}"


def _measured(finding: MeasurementSummary) -> str:
    digits = 0 if finding.unit == "%" else 2
    value = f"{finding.value:.{digits}f}"
    if finding.uncertainty:
        value += f" ± {finding.uncertainty:.{digits}f}"
    return f"{finding.subject}: {value} {_shown(finding.unit)}"


def _changed(finding: ChangeSummary) -> str:
    difference = round(finding.value, 2) + 0.0  # no zero with a minus
    text = f"{difference:+.2f} ± {finding.uncertainty:.2f} {_shown(finding.unit)}"
    if finding.percent_per_year is not None:
        rate = round(finding.percent_per_year, 1) + 0.0
        text += f", {rate:+.1f} ± {finding.percent_per_year_uncertainty:.1f} % per year"
    return f"{finding.of}, change since {finding.since}: {text}"


def refusal_in(findings: Iterable[Summary]) -> str | None:
    """The sentence, shortened, that says why there is no result; None if there is one."""
    findings = tuple(findings)
    said = [finding.text for finding in findings if isinstance(finding, RefusalSummary)]
    if not said or not all(isinstance(f, RefusalSummary | NoteSummary) for f in findings):
        return None
    return shorten(said[0], LONGEST_REFUSAL, placeholder=" ...")


def _shown(unit: str) -> str:
    """A UCUM unit as people write it."""
    return {"ml": "mL", "deg": "\N{DEGREE SIGN}"}.get(unit, unit)
