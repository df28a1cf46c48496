"""A volume along the axes that a network was trained on: permuted and turned round, not rotated."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from hilum_module.volume import Volume

DIRECTIONS = {  # in DICOM's LPS
    "L": (1, 0, 0),
    "R": (-1, 0, 0),
    "P": (0, 1, 0),
    "A": (0, -1, 0),
    "S": (0, 0, 1),
    "I": (0, 0, -1),
}


class Laid:
    """`volume` along `axes`, such as "SPL"; `order` and `turned` say how it was laid so."""

    def __init__(self, volume: Volume, axes: str) -> None:
        self.volume = volume
        unit = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
        along = np.array([DIRECTIONS[letter] for letter in axes]) @ unit  # (axes, axes of volume)
        best = max(permutations(range(3)), key=lambda order: abs(along[[0, 1, 2], order]).sum())
        self.order = best
        self.turned = tuple(axis for axis in range(3) if along[axis, best[axis]] < 0)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Millimetres along the axes."""
        return tuple(self.volume.spacing[axis] for axis in self.order)

    @property
    def array(self) -> np.ndarray:
        """The voxels along the axes."""
        return np.flip(self.volume.array.transpose(self.order), self.turned)

    def back(self, array: np.ndarray) -> np.ndarray:
        """An array along the axes on the grid of the volume."""
        return np.flip(array, self.turned).transpose(np.argsort(self.order))
