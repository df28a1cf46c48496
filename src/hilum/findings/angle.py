"""An angle between two lines."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Positions
from hilum.dicom import codes
from hilum.findings.finding import settle
from hilum.findings.shape import Shape
from hilum.summary.shapes import AngleSummary


@dataclass(frozen=True)
class Angle(Shape):
    """An angle: three `points` whose second one is the apex, or four, two for each line.

    In a volume they are (x, y, z) in mm (LPS), and the angle follows from them. With an `image`
    they are (column, row) on it, the centre of the first pixel is 0, 0, and the angle follows as
    for square pixels, unless `degrees` is given. `code` is what was measured.
    """

    points: Positions
    label: str
    degrees: float | None = None
    code: Code = codes.ANGLE
    image: str | None = None
    colour: Colour = (255, 200, 0)

    def __post_init__(self) -> None:
        what = self._settle("points", self.points, [3, 4])
        settle(self, degrees=_degrees(what, self.points, self.degrees))

    def summary(self) -> AngleSummary:
        return AngleSummary(self.label, self.value, self.points, self.image)

    @property
    def value(self) -> float:
        """The number, in degrees."""
        assert self.degrees is not None, "it is settled when it is made"
        return self.degrees

    def codes(self) -> Iterable[Code]:
        return self.code, codes.DEGREE


def _degrees(what: str, points: Positions, given: float | None) -> float:
    if given is not None:
        return checks.number(f"the degrees {what}", given, 0, 360)
    first, second, *rest = (np.array(point) for point in points)
    start = (
        (first - second, rest[0] - second)
        if len(rest) == 1
        else (first - second, rest[0] - rest[1])
    )
    one, other = (direction / np.linalg.norm(direction) for direction in start)
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))
