"""A place."""

from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum.checks import Colour, Position
from hilum.findings.finding import settle
from hilum.findings.shape import Shape
from hilum.summary.shapes import PointSummary


@dataclass(frozen=True)
class Point(Shape):
    """A place: (x, y, z) in mm (LPS) in a volume, or with an `image` (column, row) on it.

    The centre of the first pixel of an image is 0, 0. `code` is what lies there. `colour` is sRGB.
    """

    position: Position
    code: Code
    label: str
    image: str | None = None
    colour: Colour = (255, 200, 0)

    def __post_init__(self) -> None:
        self._settle("position", [self.position], [1])
        settle(self, position=self.points[0])

    def summary(self) -> PointSummary:
        return PointSummary(self.label, self.position, self.image)
