"""A place."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Position, Positions
from hilum.findings.finding import Finding, settle
from hilum.summary import PointSummary


@dataclass(frozen=True)
class Point(Finding):
    """A place: (x, y, z) in mm (LPS) in a volume, or with an `image` (column, row) on it.

    The centre of the first pixel of an image is 0, 0. `code` is what lies there. `colour` is sRGB.
    """

    position: Position
    code: Code
    label: str
    image: str | None = None
    colour: Colour = (255, 200, 0)

    def __post_init__(self) -> None:
        label = checks.label("the label of a point", self.label)
        what = f"of the point {label!r}"
        image = checks.image(f"the image {what}", self.image)
        places = checks.positions(f"the position {what}", [self.position], image is not None, [1])
        settle(
            self,
            label=label,
            image=image,
            position=places[0],
            code=checks.code(f"the code {what}", self.code),
            colour=checks.colour(f"the colour {what}", self.colour),
        )

    @property
    def points(self) -> Positions:
        """The positions that have to lie within the images."""
        return (self.position,)

    def summary(self) -> PointSummary:
        return PointSummary(self.label, self.position, self.image)

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        yield self.code
