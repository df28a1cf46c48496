"""A region in the images."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum import checks
from hilum.dicom import codes
from hilum.findings.finding import settle
from hilum.findings.structure import GridBox, Structure, box_of


@dataclass(frozen=True, eq=False)
class Segment(Structure):
    """A region: boolean `mask` (slices, rows, columns) on the grid of the series it was found in.

    `code` is the segmented property type (PS3.16 CID 7192 ff.), `modifier` narrows it (anterior),
    `side` is given only when known. `colour` is sRGB, 0-255.
    """

    mask: Volume
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: tuple[int, int, int] = (255, 200, 0)

    def __post_init__(self) -> None:
        label = checks.label("the label of a segment", self.label)
        what = f"of the segment {label!r}"
        settle(
            self,
            label=label,
            mask=checks.mask(f"the mask {what}", self.mask),
            code=checks.code(f"the code {what}", self.code),
            modifier=checks.code_if_any(f"the modifier {what}", self.modifier),
            side=checks.side(f"the side {what}", self.side, label),
            category=checks.code(f"the category {what}", self.category),
            colour=checks.colour(f"the colour {what}", self.colour),
        )
        checks.label(f"the label {what}, with its side,", self.name)

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, rows, columns = self.mask.array.shape
        return slices, rows, columns

    @property
    def voxel_volume(self) -> float:
        return float(self.mask.voxel_volume)

    @cached_property
    def box(self) -> GridBox:
        return box_of(self.mask.array)

    @cached_property
    def areas(self) -> np.ndarray:
        return np.asarray(self.mask.array.sum((1, 2)))

    def inside(self, part: GridBox) -> np.ndarray:
        return np.asarray(self.mask.array[part])
