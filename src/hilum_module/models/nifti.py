"""Volumes as NIfTI files, whose axes lead to the right, to anterior and to the head (RAS)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hilum_module.errors import ModelError
from hilum_module.volume import Volume

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # of DICOM's LPS, and back
SAME_PLACE = 1e-2  # mm; NIfTI holds places as float32


class OtherGridError(ModelError):
    """A result lies on another grid than the images."""


def affine_of(volume: Volume) -> np.ndarray:
    """4x4, from (column, row, slice) to RAS mm: voxels are stored with columns first there."""
    affine = np.eye(4)
    affine[:3, :3] = volume.affine[:3, 2::-1]
    affine[:3, 3] = volume.affine[:3, 3]
    return TO_RAS @ affine


def write(volume: Volume, path: Path) -> None:
    """Write `volume` to `path`, as float32."""
    import nibabel

    voxels = np.asarray(volume.array, np.float32).transpose(2, 1, 0)
    image = nibabel.Nifti1Image(voxels, affine_of(volume))
    nibabel.save(image, str(path))


def read(path: Path, grid: Volume) -> np.ndarray:
    """What lies at `path`: (slices, rows, columns) on `grid`, with channels in front of it if any.

    Raises `OtherGridError` where its voxels lie elsewhere.
    """
    import nibabel

    image = nibabel.Nifti1Image.from_filename(str(path))
    voxels = np.asanyarray(image.dataobj)
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in voxels.shape[:3]), 1]]).T
    off = np.abs((image.affine - affine_of(grid)) @ corners).max()
    if voxels.ndim not in (3, 4) or voxels.shape[2::-1] != grid.array.shape or off > SAME_PLACE:
        raise OtherGridError(
            f"the result has {voxels.shape} voxels, {off:.3g} mm from where they should be"
        )
    laid = np.moveaxis(voxels, -1, 0).transpose(0, 3, 2, 1) if voxels.ndim == 4 else voxels.T
    return np.asarray(laid)
