"""An independent reader of the source files: SimpleITK, which is installed for the tests only."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Read:
    """Voxels (slices, rows, columns), and the affine from such indices to LPS mm."""

    array: np.ndarray
    affine: np.ndarray


def simple_itk(folder: Path) -> Read:
    """The volume in `folder`: a series of files, or the only file."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageSeriesReader()
    names = [
        reader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in reader.GetGDCMSeriesIDs(str(folder))
    ]
    largest = max(names, key=len)
    if len(largest) == 1:
        image = SimpleITK.ReadImage(largest[0])
    else:
        reader.SetFileNames(largest)
        image = reader.Execute()
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, :3] = direction[:, ::-1]  # (x, y, z) indices are (column, row, slice)
    affine[:3, 3] = image.GetOrigin()
    return Read(SimpleITK.GetArrayFromImage(image).astype(np.float64), affine)


def grid_difference(array: np.ndarray, affine: np.ndarray, read: Read) -> str:
    """Where a received volume differs from what was read, "" if it does not.

    The two may order the axes otherwise: voxels are compared where they are in the patient.
    """
    if array.size != read.array.size:
        return f"the reader has {read.array.shape[0]} slices"
    grid = np.indices(array.shape).reshape(3, -1)
    places = affine[:3, :3] @ grid + affine[:3, 3:]
    indices = np.linalg.solve(read.affine[:3, :3], places - read.affine[:3, 3:])
    nearest = np.rint(indices).astype(int)
    sides = np.linalg.norm(read.affine[:3, :3], axis=0)
    if (apart := float(np.abs((indices - nearest).T * sides).max())) > 0.1:
        return f"the reader's voxels lie {apart:.2f} mm apart from ours"
    if (nearest.min(axis=1) < 0).any() or (nearest.max(axis=1) >= read.array.shape).any():
        return "the reader's volume lies elsewhere"
    values = read.array[tuple(nearest)].reshape(array.shape)
    off = float(np.abs(values - array).max())
    return f"the reader's values differ by {off:.3g}" if off > 0.01 else ""
