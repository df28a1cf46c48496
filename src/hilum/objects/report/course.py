"""What has changed since earlier exams: in words, and as a plot of volume against date.

The plot is a list of strokes, dots and words, which picture and page draw each in their own way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import ceil, floor, log10

from hilum.checks import Colour
from hilum.dicom import codes
from hilum.findings import Change, Structure
from hilum.objects.report.rows import BEYOND, WITHIN
from hilum.printing import (
    MINUS,
    PLUS_MINUS,
    Printed,
    Quantity,
    fixed,
    name_of,
    rate_in_print,
    signed,
)

LEAST_RANGE = 0.3  # of the mean; a closer look would show nothing but noise
MARGIN = 0.05  # of the plot on the left and on the right, so that no dot lies on an axis
MOST_TICKS = 6
LABELS, LONGEST = 10, 18  # width of the labels by the size of text, characters of one
ASIDE = 0.4  # of the size of text: how far apart the tracks are drawn, to show all errors

Point = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """The change since one earlier exam, ready to print; `verdict` weighs its uncertainty."""

    since: str
    value: str
    rest: str
    per_year: str
    verdict: str
    is_telling: bool

    @property
    def cells(self) -> tuple[str, ...]:
        """The words for a line of a table."""
        return (f"since {self.since}", self.value, self.rest, self.per_year, self.verdict)


@dataclass(frozen=True)
class ChangeRow:
    """The change of one measurement since the latest earlier exam and, if another, the first."""

    label: str
    colour: Colour | None
    steps: tuple[Step, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, in ASCII, so that every character set can hold it."""
        return tuple(self._sentence(step) for step in self.steps)

    def _sentence(self, step: Step) -> str:
        words = f"{self.label}: {step.value} {step.rest} since {step.since}"
        if step.per_year:
            words += f" ({step.per_year})"
        words = words.replace(MINUS, "-").replace(PLUS_MINUS, "+/-")
        return f"{words}, {step.verdict}." if step.verdict else f"{words}."


def change_row(change: Change) -> ChangeRow:
    of = change.of
    steps = [_step(change)]
    if len(change.earlier) > 1:
        steps.append(_step(replace(change, earlier=change.earlier[:1])))
    return ChangeRow(of.label, of.of.colour if of.of else None, tuple(steps))


def _step(change: Change) -> Step:
    digits = change.of.quantity.digits
    value, uncertainty, unit = change.quantity.in_print
    per_year = rate_in_print(change.percent_per_year, change.percent_per_year_uncertainty)
    return Step(
        change.latest.day.isoformat(),
        signed(value, digits),
        Printed("", fixed(uncertainty, digits) if uncertainty else "", name_of(unit)).rest,
        per_year,
        (BEYOND if change.is_telling else WITHIN) if uncertainty else "",
        change.is_telling,
    )


@dataclass(frozen=True)
class Stroke:
    """A line through `points`; without a `colour` it belongs to the axes."""

    points: tuple[Point, ...]
    colour: Colour | None = None


@dataclass(frozen=True)
class Dot:
    at: Point
    colour: Colour


@dataclass(frozen=True)
class Words:
    """Text that begins (`align` -1), has its middle (0) or ends (1) at `at`, on its baseline."""

    at: Point
    text: str
    align: int


Mark = Stroke | Dot | Words


@dataclass(frozen=True)
class Track:
    """One segment over time: (day, volume and its uncertainty in mL), the oldest first."""

    label: str
    colour: Colour
    points: tuple[tuple[date, float, float], ...]


@dataclass(frozen=True)
class Course:
    """Volumes of segments over time, on common axes."""

    tracks: tuple[Track, ...]

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Course | None":
        """The plot of the changes that are volumes of segments; None if there are none."""
        tracks = tuple(
            _track(change, change.of.of)
            for change in changes
            if change.of.of and change.of.code == codes.VOLUME
        )
        return cls(tracks) if tracks else None

    @property
    def days(self) -> tuple[date, ...]:
        """The days of all exams, the first one first."""
        return tuple(sorted({day for track in self.tracks for day, _, _ in track.points}))

    @property
    def range(self) -> tuple[float, float]:
        """The range of the vertical axis, in mL."""
        points = [(value, spread) for track in self.tracks for _, value, spread in track.points]
        low, high = min(v - s for v, s in points), max(v + s for v, s in points)
        missing = max(LEAST_RANGE * (low + high) / 2 - (high - low), 0.16 * (high - low)) / 2
        return low - missing, high + missing

    def marks(self, width: float, height: float, size: float) -> Iterator[Mark]:
        """The plot, `width` by `height`, from its upper left corner; text is `size` high."""
        axes = _Axes(
            (3 * size, width - LABELS * size), (size, height - 1.8 * size), self.days, self.range
        )
        yield from axes.marks(size)
        for number, track in enumerate(self.tracks):
            aside = (number - (len(self.tracks) - 1) / 2) * ASIDE * size
            places = [(axes.x(day) + aside, axes.y(value)) for day, value, _ in track.points]
            yield Stroke(tuple(places), track.colour)
            for (x, y), (_, value, spread) in zip(places, track.points, strict=True):
                yield Stroke(
                    ((x, axes.y(value - spread)), (x, axes.y(value + spread))), track.colour
                )
                yield Dot((x, y), track.colour)
        wanted = [axes.y(track.points[-1][1]) for track in self.tracks]
        heights = apart(wanted, 1.25 * size, axes.vertical[1])
        for track, y in zip(self.tracks, heights, strict=True):
            place = (axes.horizontal[1] + size / 2, y + 0.35 * size)
            yield Words(place, shortened(track.label), -1)


@dataclass(frozen=True)
class _Axes:
    """The axes of a plot, from left to right and from top to bottom, and what they span."""

    horizontal: tuple[float, float]
    vertical: tuple[float, float]
    days: tuple[date, ...]
    range: tuple[float, float]

    def x(self, day: date) -> float:
        left, right = self.horizontal
        first, last = (end.toordinal() for end in (self.days[0], self.days[-1]))
        share = (day.toordinal() - first) / max(last - first, 1)
        return left + (right - left) * (MARGIN + share * (1 - 2 * MARGIN))

    def y(self, value: float) -> float:
        top, bottom = self.vertical
        low, high = self.range
        return bottom - (value - low) / (high - low) * (bottom - top)

    def marks(self, size: float) -> Iterator[Mark]:
        """The axes themselves, with a line for each round volume and a tick for each year."""
        (left, right), (top, bottom) = self.horizontal, self.vertical
        yield Words((0, top - 0.2 * size), "mL", -1)
        for value, text in value_ticks(*self.range):
            yield Stroke(((left, self.y(value)), (right, self.y(value))))
            yield Words((left - size / 2, self.y(value) + 0.35 * size), text, 1)
        yield Stroke(((left, bottom), (right, bottom)))
        for day, text in _day_ticks(self.days):
            yield Stroke(((self.x(day), bottom), (self.x(day), bottom + size / 3)))
            yield Words((self.x(day), bottom + 1.5 * size), text, 0)


def _track(change: Change, segment: Structure) -> Track:
    unit = change.of.unit.value
    volumes = [(e.day, Quantity(e.value, e.uncertainty, unit)) for e in change.earlier]
    volumes.append((change.day, change.of.quantity))
    printed = [(day, volume.in_print) for day, volume in volumes]
    points = tuple((day, each.value, each.uncertainty or 0.0) for day, each in printed)
    return Track(segment.name, segment.colour, points)


def value_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """The ticks at round numbers (1, 2 or 5 times a power of ten), at most `MOST_TICKS`."""
    least = (high - low) / (MOST_TICKS - 1)
    power = 10.0 ** floor(log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    digits = max(0, -floor(log10(step)))
    ticks = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    return [(tick, f"{tick:.{digits}f}") for tick in ticks]


def _day_ticks(days: Sequence[date]) -> list[tuple[date, str]]:
    """The ticks at the turns of years; for exams close together, at the first and last day."""
    first, last = days[0], days[-1]
    years = range(first.year + 1, last.year + 1)
    if len(years) > 1:
        step = ceil(len(years) / MOST_TICKS)
        return [(date(year, 1, 1), str(year)) for year in years[::step]]
    return [(day, f"{day:%Y-%m-%d}") for day in dict.fromkeys((first, last))]


def shortened(label: str) -> str:
    """`label` as far as there is room for it beside a plot."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 2]}..."


def apart(places: Sequence[float], distance: float, lowest: float) -> list[float]:
    """`places` moved so that labels are `distance` apart and none lies below `lowest`."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + distance)
    limit = lowest
    for index in reversed(order):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - distance
    return moved
