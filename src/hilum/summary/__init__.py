"""Findings without arrays: what the records, traces and `--json` hold of them.

The fields are those of the JSON; `image` is the SOP Instance UID of the film that a finding is of,
None where it is of the whole study.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Annotated, Literal

from pydantic import Field

from hilum.wording import counted

LONGEST_REFUSAL = 300  # characters


class FindingSummary(ABC):
    """What all of them have."""

    @abstractmethod
    def in_words(self) -> str:
        """A line of text; nothing for those that are pictures only."""


@dataclass(frozen=True)
class MeasurementSummary(FindingSummary):
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

    def in_words(self) -> str:
        digits = 0 if self.unit == "%" else 2
        value = f"{self.value:.{digits}f}"
        if self.uncertainty:
            value += f" ± {self.uncertainty:.{digits}f}"
        return f"{self.subject}: {value} {_shown(self.unit)}"


@dataclass(frozen=True)
class ChangeSummary(FindingSummary):
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

    def in_words(self) -> str:
        difference = round(self.value, 2) + 0.0  # no zero with a minus
        text = f"{difference:+.2f} ± {self.uncertainty:.2f} {_shown(self.unit)}"
        if self.percent_per_year is not None:
            rate = round(self.percent_per_year, 1) + 0.0
            text += f", {rate:+.1f} ± {self.percent_per_year_uncertainty:.1f} % per year"
        return f"{self.of}, change since {self.since}: {text}"


@dataclass(frozen=True)
class SegmentSummary(FindingSummary):
    """A structure that was outlined."""

    label: str
    voxels: int
    volume_ml: float | None = None
    image: str | None = None
    kind: Literal["segment"] = "segment"

    def in_words(self) -> str:
        return ""


@dataclass(frozen=True)
class ClassificationSummary(FindingSummary):
    """A decision between classes; `text` says it in words, `scores` are by class."""

    outcome: str
    text: str
    basis: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    image: str | None = None
    kind: Literal["classification"] = "classification"

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class HeatMapSummary(FindingSummary):
    """A picture of what a classification rests on."""

    label: str
    image: str | None = None
    kind: Literal["heat map"] = "heat map"

    def in_words(self) -> str:
        return ""


Positions = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PointSummary(FindingSummary):
    """A place: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    position: tuple[float, ...]
    image: str | None = None
    kind: Literal["point"] = "point"

    def in_words(self) -> str:
        return f"{self.label}: marked"


@dataclass(frozen=True)
class BoxSummary(FindingSummary):
    """A box by two opposite corners: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    corners: Positions
    image: str | None = None
    kind: Literal["box"] = "box"

    def in_words(self) -> str:
        return f"{self.label}: marked"


@dataclass(frozen=True)
class LengthSummary(FindingSummary):
    """A distance in mm between two places: (x, y, z) in mm, or (column, row) on an image."""

    label: str
    value: float
    points: Positions
    image: str | None = None
    unit: str = "mm"
    kind: Literal["length"] = "length"

    def in_words(self) -> str:
        return f"{self.label}: {self.value:.1f} {_shown(self.unit)}"


@dataclass(frozen=True)
class AngleSummary(FindingSummary):
    """An angle in degrees between lines through (x, y, z) in mm, or (column, row) on an image."""

    label: str
    value: float
    points: Positions
    image: str | None = None
    unit: str = "deg"
    kind: Literal["angle"] = "angle"

    def in_words(self) -> str:
        return f"{self.label}: {self.value:.1f} {_shown(self.unit)}"


@dataclass(frozen=True)
class TableSummary(FindingSummary):
    """A table: its title, the names of its columns, and rows of as many texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    image: str | None = None
    kind: Literal["table"] = "table"

    def in_words(self) -> str:
        return f"{self.title}: a table of {counted(len(self.rows), 'row')}"


@dataclass(frozen=True)
class CurveSummary:
    """One line of a plot, with the colour that it is drawn in."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class PlotSummary(FindingSummary):
    """Curves on common axes."""

    title: str
    across: str
    up: str
    curves: tuple[CurveSummary, ...]
    image: str | None = None
    kind: Literal["plot"] = "plot"

    def in_words(self) -> str:
        return f"{self.title}: a plot of {self.up} over {self.across}"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The least and greatest x, then y, apart in any case."""
        ends = []
        for given in ([x for c in self.curves for x in c.x], [y for c in self.curves for y in c.y]):
            low, high = min(given), max(given)
            ends += [low, high if high > low else low + 1.0]
        return ends[0], ends[1], ends[2], ends[3]

    def lines(self, width: float, height: float) -> list[tuple[CurveSummary, str]]:
        """Each curve with its points as SVG has them, `width` by `height`, y upwards."""
        left, right, low, high = self.box
        across, up = width / (right - left), height / (high - low)
        return [
            (
                curve,
                " ".join(
                    f"{(x - left) * across:.1f},{height - (y - low) * up:.1f}"
                    for x, y in zip(curve.x, curve.y, strict=True)
                ),
            )
            for curve in self.curves
        ]


@dataclass(frozen=True)
class KeyImageSummary(FindingSummary):
    """An image to look at, and why."""

    text: str
    image: str
    kind: Literal["key image"] = "key image"

    def in_words(self) -> str:
        return f"Image to look at: {self.text}"


@dataclass(frozen=True)
class UrgencySummary(FindingSummary):
    """Why somebody should look at once: a clause."""

    reason: str
    image: str | None = None
    kind: Literal["urgency"] = "urgency"

    @property
    def text(self) -> str:
        """The same as a sentence."""
        return f"Urgent: {self.reason}."

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class DraftSummary(FindingSummary):
    """A text that nobody has checked, and the section of a report that it could be taken into."""

    text: str
    section: str = ""
    image: str | None = None
    kind: Literal["draft"] = "draft"

    def in_words(self) -> str:
        return f"Draft, not checked by anybody: {self.text}"


@dataclass(frozen=True)
class OwnObjectSummary(FindingSummary):
    """A DICOM object that the module wrote itself: its SOP class by name, and its length."""

    what: str
    bytes: int
    image: str | None = None
    kind: Literal["own object"] = "own object"

    def in_words(self) -> str:
        return f"DICOM object of the module: {self.what.removesuffix(' Storage')}"


@dataclass(frozen=True)
class ParametricMapSummary(FindingSummary):
    """A number at every voxel, from `low` to `high`."""

    label: str
    low: float
    high: float
    unit: str
    image: str | None = None
    kind: Literal["map"] = "map"

    @property
    def extent(self) -> str:
        """The least value and the greatest, in words."""
        span = self.high - self.low
        low, high = (0.0 if abs(end) < 1e-6 * span else end for end in (self.low, self.high))
        return f"{low:.3g} to {high:.3g} {_shown(self.unit)}".rstrip()

    def in_words(self) -> str:
        return f"Map of {self.label}: {self.extent}"


@dataclass(frozen=True)
class DrawingSummary(FindingSummary):
    """A picture that the module has drawn."""

    label: str
    image: str | None = None
    kind: Literal["drawing"] = "drawing"

    def in_words(self) -> str:
        return ""


@dataclass(frozen=True)
class RefusalSummary(FindingSummary):
    """Why there is no result: a code, and a sentence."""

    code: str
    text: str
    image: str | None = None
    kind: Literal["refusal"] = "refusal"

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class NoteSummary(FindingSummary):
    """A remark; a `caution` says that the result is less certain."""

    text: str
    caution: bool = False
    image: str | None = None
    kind: Literal["note"] = "note"

    def in_words(self) -> str:
        return self.text


Summary = Annotated[
    MeasurementSummary
    | ChangeSummary
    | SegmentSummary
    | ClassificationSummary
    | HeatMapSummary
    | OwnObjectSummary
    | ParametricMapSummary
    | PlotSummary
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
