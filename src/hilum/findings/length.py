"""A distance between two places."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Positions
from hilum.dicom import codes
from hilum.errors import FindingError
from hilum.findings.finding import settle
from hilum.findings.shape import Shape
from hilum.summary.shapes import LengthSummary


@dataclass(frozen=True)
class Length(Shape):
    """A line between two `points`, and how long it is.

    In a volume they are (x, y, z) in mm (LPS), and the length follows from them. With an `image`
    they are (column, row) on it, the centre of the first pixel is 0, 0, and `millimetres` must be
    given: a radiograph alone does not say how large a pixel is in the patient. `code` is what was
    measured.
    """

    points: Positions
    label: str
    millimetres: float | None = None
    code: Code = codes.LENGTH
    image: str | None = None
    colour: Colour = (255, 200, 0)

    def __post_init__(self) -> None:
        what = self._settle("points", self.points, [2])
        settle(self, millimetres=_millimetres(what, self.points, self.millimetres))

    def summary(self) -> LengthSummary:
        return LengthSummary(self.label, self.value, self.points, self.image)

    @property
    def value(self) -> float:
        """The number, in mm."""
        assert self.millimetres is not None, "it is settled when it is made"
        return self.millimetres

    def codes(self) -> Iterable[Code]:
        return self.code, codes.MILLIMETRE


def _millimetres(what: str, points: Positions, given: float | None) -> float:
    if given is not None:
        return checks.number(f"the millimetres {what}", given, 0)
    if len(points[0]) == 2:
        raise FindingError(f"the millimetres {what} are not given; on an image they have to be")
    return math.dist(*points)
