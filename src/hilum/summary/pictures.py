"""What is looked at: maps, plots, drawings, images, and objects of the module itself."""

from dataclasses import dataclass
from typing import Literal

from hilum.printing import name_of
from hilum.summary.finding import FindingSummary


@dataclass(frozen=True)
class HeatMapSummary(FindingSummary):
    """A picture of what a classification rests on."""

    label: str
    image: str | None = None
    kind: Literal["heat map"] = "heat map"

    def in_words(self) -> str:
        return ""


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
        return f"{low:.3g} to {high:.3g} {name_of(self.unit)}".rstrip()

    def in_words(self) -> str:
        return f"Map of {self.label}: {self.extent}"


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
class DrawingSummary(FindingSummary):
    """A picture that the module has drawn."""

    label: str
    image: str | None = None
    kind: Literal["drawing"] = "drawing"

    def in_words(self) -> str:
        return ""


@dataclass(frozen=True)
class KeyImageSummary(FindingSummary):
    """An image to look at, and why."""

    text: str
    image: str
    kind: Literal["key image"] = "key image"

    def in_words(self) -> str:
        return f"Image to look at: {self.text}"


@dataclass(frozen=True)
class OwnObjectSummary(FindingSummary):
    """A DICOM object that the module wrote itself: its SOP class by name, and its length."""

    what: str
    bytes: int
    image: str | None = None
    kind: Literal["own object"] = "own object"

    def in_words(self) -> str:
        return f"DICOM object of the module: {self.what.removesuffix(' Storage')}"
