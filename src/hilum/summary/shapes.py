"""Places, boxes, lengths and angles."""

from dataclasses import dataclass
from typing import Literal

from hilum.printing import name_of
from hilum.summary.finding import FindingSummary

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
        return f"{self.label}: {self.value:.1f} {name_of(self.unit)}"


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
        return f"{self.label}: {self.value:.1f} {name_of(self.unit)}"
