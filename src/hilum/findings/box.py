"""A region that is known by its corners alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Positions
from hilum.findings.finding import Finding, settle
from hilum.summary import BoxSummary


@dataclass(frozen=True)
class Box(Finding):
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
        label = checks.label("the label of a box", self.label)
        what = f"of the box {label!r}"
        image = checks.image(f"the image {what}", self.image)
        settle(
            self,
            label=label,
            image=image,
            corners=checks.positions(f"the corners {what}", self.corners, image is not None, [2]),
            code=checks.code(f"the code {what}", self.code),
            colour=checks.colour(f"the colour {what}", self.colour),
        )

    @property
    def points(self) -> Positions:
        """The positions that have to lie within the images."""
        return self.corners

    def summary(self) -> BoxSummary:
        return BoxSummary(self.label, self.corners, self.image)

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        yield self.code
