"""A picture that a module has drawn itself."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hilum import checks
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary.pictures import DrawingSummary

LONGEST_SIDE = 4096  # pixels


@dataclass(frozen=True, eq=False)
class Drawing(Finding):
    """A picture of the module's own: `pixels` uint8, (rows, columns) in grey or (rows, columns, 3).

    It must name no patient: burned into pixels, a name survives every de-identification.
    """

    pixels: np.ndarray
    label: str
    image: str | None = None

    def __post_init__(self) -> None:
        label = checks.label("the label of a drawing", self.label)
        what = f"of the drawing {label!r}"
        pixels = self.pixels
        is_array = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.size
        if not is_array or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
            raise FindingError(
                f"the pixels {what} are no uint8 (rows, columns) or (rows, columns, 3)"
            )
        if max(pixels.shape) > LONGEST_SIDE:
            raise FindingError(f"a side {what} is longer than {LONGEST_SIDE} pixels")
        settle(self, label=label, image=checks.image(f"the image {what}", self.image))

    def summary(self) -> DrawingSummary:
        return DrawingSummary(self.label, self.image)

    def texts(self) -> Iterable[str]:
        yield self.label
