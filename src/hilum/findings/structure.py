"""What segments and the labels of a label map have in common: a structure in the images."""

from abc import abstractmethod
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from pydicom.sr.coding import Code

from hilum.findings.finding import Finding, words
from hilum.summary.numbers import SegmentSummary

GridBox = tuple[slice, slice, slice]  # along slices, rows and columns of a grid
NOWHERE: GridBox = (slice(0, 0), slice(0, 0), slice(0, 0))


class Structure(Finding, is_kept=False):
    """A region of the grid of a series, with what it is called, coded and coloured.

    Writers ask for the voxels of a part of the grid. So a hundred structures that lie in one label
    map never take the memory of a hundred masks.
    """

    code: Code
    label: str
    modifier: Code | None
    side: Code | None
    category: Code
    colour: tuple[int, int, int]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the grid."""

    @property
    @abstractmethod
    def voxel_volume(self) -> float:
        """The volume of one voxel, in cubic millimetres."""

    @property
    @abstractmethod
    def box(self) -> GridBox:
        """The smallest box that holds all of its voxels; `NOWHERE` without any."""

    @property
    @abstractmethod
    def areas(self) -> np.ndarray:
        """How many voxels it has in each slice: integers, (slices,)."""

    @abstractmethod
    def inside(self, part: GridBox) -> np.ndarray:
        """Which voxels of `part` of the grid belong to it: boolean, of the shape of `part`."""

    def is_apart(self, other: "Structure") -> bool:
        """Whether both can share no voxel, whatever they hold; False where nobody knows."""
        return False

    @property
    def name(self) -> str:
        """What a reader calls it: the label, with the side where the label does not say it."""
        side = self.side.meaning.lower() if self.side else ""
        return self.label if side in words(self.label) or not side else f"{self.label}, {side}"

    @cached_property
    def voxels(self) -> int:
        """How many voxels it has."""
        return int(self.areas.sum())

    @property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.voxels * self.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000

    def summary(self) -> SegmentSummary:
        return SegmentSummary(self.name, self.voxels, self.volume_ml)

    def texts(self) -> Iterable[str]:
        yield self.name

    def codes(self) -> Iterable[Code]:
        given = (self.code, self.modifier, self.side, self.category)
        return (code for code in given if code is not None)


def box_of(mask: np.ndarray) -> GridBox:
    """The smallest box that holds all of `mask` (slices, rows, columns); `NOWHERE` if empty."""
    box: list[slice] = []
    for axis in range(3):
        part = mask[tuple(box)]  # already cut along the axes before, so only the first one is long
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(part.any(others))
        if not filled.size:
            return NOWHERE
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return box[0], box[1], box[2]
