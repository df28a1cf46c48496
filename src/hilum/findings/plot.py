"""Numbers over numbers, which Hilum draws."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hilum import checks
from hilum.checks import Colour
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary.pictures import CurveSummary, PlotSummary
from hilum.wording import counted

MOST_CURVES, MOST_POINTS = 8, 200
COLOURS: tuple[Colour, ...] = (  # of Okabe and Ito: told apart by everybody, on black and white
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0)),
    *((0, 114, 178), (204, 121, 167), (150, 150, 150), (190, 170, 40)),
)


@dataclass(frozen=True)
class Curve:
    """One line of a `Plot`: `x` and `y` of 2 to 200 points, in the order in which they are joined.

    Without a `colour` it gets one of its own.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: Colour | None = None

    def __post_init__(self) -> None:
        label = checks.label("the label of a curve", self.label)
        what = f"of the curve {label!r}"
        x, y = (
            tuple(checks.number(f"a number {what}", each) for each in given)
            for given in (self.x, self.y)
        )
        if len(x) != len(y) or not 2 <= len(x) <= MOST_POINTS:
            raise FindingError(
                f"the numbers {what} are {len(x)} and {len(y)}; there must be as many x as y, 2 to"
                f" {MOST_POINTS}"
            )
        settle(self, label=label, x=x, y=y)
        if self.colour is not None:
            settle(self, colour=checks.colour(f"the colour {what}", self.colour))


@dataclass(frozen=True)
class Plot(Finding):
    """Curves on common axes, such as an enhancement over time; at most 8.

    `across` and `up` say what the axes are, with their units. What other programs are to compute
    with is better a `Measurement`.
    """

    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    image: str | None = None

    def __post_init__(self) -> None:
        title = checks.label("the title of a plot", self.title)
        what = f"of the plot {title!r}"
        given = self.curves
        if not isinstance(given, tuple | list) or not all(isinstance(c, Curve) for c in given):
            raise FindingError(f"the curves {what} are not a tuple of Curve")
        if not 1 <= len(given) <= MOST_CURVES:
            text = f"{counted(len(given), 'curve')}; 1 to {MOST_CURVES} are allowed"
            raise FindingError(f"the plot {title!r} has {text}")
        settle(
            self,
            title=title,
            across=checks.label(f"the axis across {what}", self.across),
            up=checks.label(f"the axis up {what}", self.up),
            curves=tuple(given),
            image=checks.image(f"the image {what}", self.image),
        )

    @property
    def coloured(self) -> Iterator[tuple[Curve, Colour]]:
        """Each curve with the colour that it is drawn in."""
        for curve, colour in zip(self.curves, COLOURS, strict=False):
            yield curve, curve.colour or colour

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each curve as a line of text, for a report that has no plots."""
        axes = f"{self.up} over {self.across}"
        return tuple(f"{self.title} - {one.label}, {axes}: {_listed(one)}." for one in self.curves)

    def summary(self) -> PlotSummary:
        curves = (CurveSummary(c.label, c.x, c.y, colour) for c, colour in self.coloured)
        return PlotSummary(self.title, self.across, self.up, tuple(curves), self.image)

    def texts(self) -> Iterable[str]:
        return self.title, self.across, self.up, *(curve.label for curve in self.curves)


def _listed(curve: Curve) -> str:
    return "; ".join(f"{y:.4g} at {x:.4g}" for x, y in zip(curve.x, curve.y, strict=True))
