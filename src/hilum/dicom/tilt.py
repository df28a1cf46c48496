"""Slices of a tilted gantry on a right-angled grid, and masks of that grid back on the slices.

Each slice is shifted sideways against the one before, within its own plane. So a slice stays at its
place along the normal, and only rows and columns are interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum.dicom.geometry import Stack


@dataclass(frozen=True)
class Straightening:
    """Slices of `size` (rows, columns), each shifted by `step` pixels against the one before.

    `before` and `after` are the rows and columns added so that the grid holds every slice whole.
    """

    size: tuple[int, int]
    step: tuple[float, float]
    before: tuple[int, int]
    after: tuple[int, int]
    angle: float  # degrees

    @classmethod
    def of(cls, stack: Stack, size: tuple[int, int], spacing: tuple[float, ...]) -> Straightening:
        """The grid for a tilted stack. `spacing` is that of rows, then columns, in mm."""
        assert stack.spacing
        step = (stack.shift[0] / spacing[0], stack.shift[1] / spacing[1])
        whole = [pixels * (len(stack.order) - 1) for pixels in step]
        before, after = ([int(np.ceil(max(0.0, sign * w))) for w in whole] for sign in (-1, 1))
        angle = float(np.degrees(np.arctan2(np.hypot(*stack.shift), stack.spacing)))
        return cls(size, step, (before[0], before[1]), (after[0], after[1]), angle)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        rows, columns = (
            n + b + a for n, b, a in zip(self.size, self.before, self.after, strict=True)
        )
        return rows, columns

    def on_grid(self, number: int, values: np.ndarray) -> np.ndarray:
        """Slice `number`, from 0, with its `values` (rows, columns) between the pixels of the grid.

        Linear; not a number where the slice does not reach.
        """
        # Here, because the receiver imports this package and its memory is limited.
        from scipy.ndimage import shift

        added = list(zip(self.before, self.after, strict=True))
        by = [step * number for step in self.step]
        laid = shift(np.pad(values.astype(np.float32), added, mode="edge"), by, order=1)
        reached = []
        for size, limit, first, offset in zip(self.size, self.shape, self.before, by, strict=True):
            place = np.arange(limit) - first - offset
            reached.append((place > -1e-3) & (place < size - 1 + 1e-3))
        laid[~np.logical_and.outer(*reached)] = np.nan
        return np.asarray(laid)

    def on_planes(self, mask: np.ndarray) -> np.ndarray:
        """A mask or label map (slices, rows, columns) on the slices: the nearest voxel's value."""
        return np.array([self.on_plane(place, flat) for place, flat in enumerate(mask)])

    def on_plane(self, place: int, flat: np.ndarray) -> np.ndarray:
        """One slice, the one at `place`, of what `on_planes` gives."""
        places = [
            np.clip(np.rint(np.arange(n) + first + step * place).astype(int), 0, limit - 1)
            for n, first, step, limit in zip(
                self.size, self.before, self.step, self.shape, strict=True
            )
        ]
        return np.asarray(flat[np.ix_(*places)])
