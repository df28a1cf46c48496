"""A plot of the module's numbers as strokes and words, which picture and page draw."""

from collections.abc import Iterator
from dataclasses import dataclass

from hilum.findings import Plot
from hilum.objects.report.course import (
    LABELS,
    Mark,
    Stroke,
    Words,
    apart,
    shortened,
    value_ticks,
)

Range = tuple[float, float]


@dataclass(frozen=True)
class Graph:
    """How one `Plot` is drawn."""

    plot: Plot

    def marks(self, width: float, height: float) -> Iterator[Mark]:
        """The plot, `width` by `height`, from its upper left corner; text is 1 high."""
        right, bottom = width - LABELS, height - 3.2
        axes = _Axes(
            (3.5, right),
            (1.2, bottom),
            _range(x for curve in self.plot.curves for x in curve.x),
            _range(y for curve in self.plot.curves for y in curve.y),
        )
        yield from axes.marks(self.plot)
        ends = []
        for curve, colour in self.plot.coloured:
            points = [(axes.x(x), axes.y(y)) for x, y in zip(curve.x, curve.y, strict=True)]
            yield Stroke(tuple(points), colour)
            ends.append(points[-1][1])
        heights = apart(ends, 1.25, bottom)
        for (curve, colour), y in zip(self.plot.coloured, heights, strict=True):
            yield Stroke(((right + 0.3, y), (right + 1.1, y)), colour)
            yield Words((right + 1.4, y + 0.35), shortened(curve.label), -1)


@dataclass(frozen=True)
class _Axes:
    """From left to right and from top to bottom, and what they span."""

    horizontal: Range
    vertical: Range
    across: Range
    up: Range

    def x(self, value: float) -> float:
        (left, right), (low, high) = self.horizontal, self.across
        return left + (value - low) / (high - low) * (right - left)

    def y(self, value: float) -> float:
        (top, bottom), (low, high) = self.vertical, self.up
        return bottom - (value - low) / (high - low) * (bottom - top)

    def marks(self, plot: Plot) -> Iterator[Mark]:
        """The axes themselves, with lines and ticks at round numbers."""
        (left, right), (top, bottom) = self.horizontal, self.vertical
        yield Words((0, top - 0.4), plot.up, -1)
        for value, text in value_ticks(*self.up):
            yield Stroke(((left, self.y(value)), (right, self.y(value))))
            yield Words((left - 0.5, self.y(value) + 0.35), text, 1)
        yield Stroke(((left, bottom), (right, bottom)))
        for value, text in value_ticks(*self.across):
            yield Stroke(((self.x(value), bottom), (self.x(value), bottom + 0.33)))
            yield Words((self.x(value), bottom + 1.5), text, 0)
        yield Words(((left + right) / 2, bottom + 2.8), plot.across, 0)


def _range(values: Iterator[float]) -> Range:
    """The least and the greatest of `values`, apart in any case."""
    given = list(values)
    low, high = min(given), max(given)
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-300):
        return low, high
    half = abs(low) / 2 or 0.5
    return low - half, high + half
