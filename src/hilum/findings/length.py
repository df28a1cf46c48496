"""A distance between two places."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Positions
from hilum.dicom import codes
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary import LengthSummary


@dataclass(frozen=True)
class Length(Finding):
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
        label = checks.label("the label of a length", self.label)
        what = f"of the length {label!r}"
        image = checks.image(f"the image {what}", self.image)
        points = checks.positions(f"the points {what}", self.points, image is not None, [2])
        settle(
            self,
            label=label,
            image=image,
            points=points,
            code=checks.code(f"the code {what}", self.code),
            colour=checks.colour(f"the colour {what}", self.colour),
            millimetres=_millimetres(what, points, self.millimetres),
        )

    def summary(self) -> LengthSummary:
        return LengthSummary(self.label, self.value, self.points, self.image)

    @property
    def value(self) -> float:
        """The number, in mm."""
        assert self.millimetres is not None, "it is settled when it is made"
        return self.millimetres

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        return self.code, codes.MILLIMETRE


def _millimetres(what: str, points: Positions, given: float | None) -> float:
    if given is not None:
        return checks.number(f"the millimetres {what}", given, 0)
    if len(points[0]) == 2:
        raise FindingError(f"the millimetres {what} are not given; on an image they have to be")
    return math.dist(*points)
