"""What all kinds have that are drawn upon images as points and lines."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.sr.coding import Code

from hilum import checks
from hilum.checks import Colour, Positions
from hilum.findings.finding import Finding, settle


class Shape(Finding, is_kept=False):
    """Its `points` lie on `image`, as (column, row), or in the volume, as (x, y, z) in mm (LPS).

    The centre of the first pixel of an image is 0, 0. `code` is what lies there or was measured.
    `colour` is sRGB, 0-255.
    """

    points: Positions
    code: Code
    label: str
    image: str | None
    colour: Colour

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        yield self.code

    def _settle(self, name: str, given: Any, counts: Sequence[int]) -> str:
        """Check all of the above; the points were `given` as the field `name`, one of `counts`.

        Returns what a message about another field ends with.
        """
        kind = type(self).__name__.lower()
        article = "an" if kind[0] in "aeiou" else "a"
        label = checks.label(f"the label of {article} {kind}", self.label)
        what = f"of the {kind} {label!r}"
        image = checks.image(f"the image {what}", self.image)
        settle(
            self,
            label=label,
            image=image,
            points=checks.positions(f"the {name} {what}", given, image is not None, counts),
            code=checks.code(f"the code {what}", self.code),
            colour=checks.colour(f"the colour {what}", self.colour),
        )
        return what
