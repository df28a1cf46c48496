"""What was measured, outlined and decided, as numbers and tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hilum.printing import Quantity, rate_in_print
from hilum.summary.finding import FindingSummary
from hilum.wording import counted


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
        printed = Quantity(self.value, self.uncertainty, self.unit).printed()
        return f"{self.subject}: {printed}"


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
        text = str(Quantity(self.value, self.uncertainty, self.unit).printed(sign=True))
        rate = rate_in_print(self.percent_per_year, self.percent_per_year_uncertainty)
        return f"{self.of}, change since {self.since}: {', '.join(filter(None, (text, rate)))}"


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
class TableSummary(FindingSummary):
    """A table: its title, the names of its columns, and rows of as many texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    image: str | None = None
    kind: Literal["table"] = "table"

    def in_words(self) -> str:
        return f"{self.title}: a table of {counted(len(self.rows), 'row')}"
