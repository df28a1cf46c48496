"""The two looks of a sheet, as far as what it holds depends on them; the rest is in `theme.typ`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Theme:
    """A picture has to end somewhere, pages go on; so `most_lines` and `most_letters` are limits.

    The plot of changes is `plot_width` wide and as high as so many lines of the table beside it, or
    as its labels below it; all in the size of its text. `graph` is the width and height of a plot
    of the module. Images are stored in `image_format`.
    """

    name: str
    plot_width: float
    graph: tuple[float, float]
    line_height: float
    label_height: float
    plot_heights: tuple[float, float]
    image_format: str
    most_lines: int
    most_letters: int
    across: int  # rows side by side where there are many

    def lines(self, given: Sequence[T]) -> list[T]:
        """Those of a table that there is room for."""
        return list(given[: self.most_lines])

    def rows(self, given: Sequence[T], across: int) -> list[T]:
        """As `lines`, of rows of which `across` stand side by side."""
        return list(given[: self.most_lines * across])

    def texts(self, given: Sequence[str]) -> list[str]:
        """Those that there is room for; the first in any case."""
        ends = accumulate(map(len, given))
        count = sum(end <= self.most_letters for end in ends)
        return list(given[: max(count, 1)])

    def plot_height(self, lines: int, labels: int) -> float:
        """Beside a table of `lines`, with so many `labels`."""
        wanted = max((lines + 2) * self.line_height, labels * self.label_height)
        return min(max(wanted, self.plot_heights[0]), self.plot_heights[1])


SCREEN = Theme("screen", 25.5, (70.0, 18.0), 1.9, 1.3, (12.5, 200), "PNG", 80, 6000, 3)
PAGE = Theme("page", 65.7, (63.0, 16.0), 0, 1.35, (10, 75), "JPEG", 100_000, 10_000_000, 2)
