"""Voxels and where in the patient they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Volume:
    """An `array` (slices, rows, columns) on a right-angled grid in the patient.

    `affine`, 4x4, leads from (slice, row, column) indices to LPS mm.
    """

    array: np.ndarray
    affine: np.ndarray
    frame_of_reference_uid: str | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between the centres of slices, rows and columns."""
        between, down, along = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(between), float(down), float(along)

    @property
    def voxel_volume(self) -> float:
        """Cubic millimetres of one voxel."""
        return float(np.prod(self.spacing))

    def with_array(self, array: np.ndarray) -> Volume:
        """`array`, such as a boolean mask, on the same grid; `ValueError` if it has another."""
        if array.shape != self.array.shape:
            raise ValueError(f"the array has the shape {array.shape}, the grid {self.array.shape}")
        return Volume(array, self.affine, self.frame_of_reference_uid)
