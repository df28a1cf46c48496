"""A region that is known by its corners alone."""

from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum.checks import Colour, Positions
from hilum.findings.finding import settle
from hilum.findings.shape import Shape
from hilum.summary.shapes import BoxSummary


@dataclass(frozen=True)
class Box(Shape):
    """A box around something, given by two opposite `corners`.

    In a volume they are (x, y, z) in mm (LPS), the centres of the outermost voxels, and the sides
    run along the grid of the series. With an `image` they are (column, row) on it; the centre of
    the first pixel is 0, 0. `code` is what the box is around. `colour` is sRGB.
    """

    corners: Positions
    code: Code
    label: str
    image: str | None = None
    colour: Colour = (255, 200, 0)

    def __post_init__(self) -> None:
        self._settle("corners", self.corners, [2])
        settle(self, corners=self.points)

    def summary(self) -> BoxSummary:
        return BoxSummary(self.label, self.corners, self.image)
