"""The connected pieces of a structure: which of them count."""

import numpy as np
from scipy.ndimage import label

from hilum.findings import Structure

EVERY_NEIGHBOUR = np.ones((3, 3, 3), bool)  # also those at a corner: one piece is not torn


def without_small(mask: np.ndarray, least_voxels: float, only_largest: bool) -> np.ndarray:
    """`mask` (slices, rows, columns) without the pieces that have fewer than `least_voxels`.

    With `only_largest` the largest of what is left stays, the first of two that are as large.
    """
    pieces, count = label(mask, EVERY_NEIGHBOUR)
    if not count:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    stays = sizes >= max(least_voxels, 1)
    if only_largest:
        stays &= np.arange(len(sizes)) == sizes.argmax()
    return np.asarray(stays[pieces])


def reaches_edge(structure: Structure) -> bool:
    """Whether a structure has voxels in the first or last slice, row or column."""
    sides = zip(structure.box, structure.shape, strict=True)
    return structure.voxels > 0 and any(s.start == 0 or s.stop == n for s, n in sides)
