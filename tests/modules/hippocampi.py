"""Series and volumes of one hippocampus, for the tests of the module."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from highdicom import Volume
from scipy.ndimage import zoom

from factory import instances, mr_slices
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study


def series_of(folder: Path, description: str = "HippoCrop") -> Series:
    """The series of that description among the files below `folder`."""
    study = Study.of(map(Instance.read, sorted(folder.rglob("*.dcm"))))
    return next(series for series in study.series if series.description == description)


def written(volume: Volume, folder: Path, order: Sequence[int] | None = None) -> Series:
    """`volume` as DICOM slices along its first axis, numbered and received in `order`."""
    count, *shape = volume.spatial_shape
    slices = mr_slices(str(folder), count=count, shape=(shape[0], shape[1]))
    voxels = volume.array - min(volume.array.min(), 0)
    vectors = volume.unit_vectors()
    for index, dataset in enumerate(slices):
        dataset.Rows, dataset.Columns = shape
        dataset.PixelSpacing = [volume.spacing[1], volume.spacing[2]]
        dataset.ImageOrientationPatient = [*vectors[2], *vectors[1]]
        dataset.ImagePositionPatient = (volume.affine @ [index, 0, 0, 1])[:3].tolist()
        dataset.PixelData = np.ascontiguousarray(voxels[index], np.uint16).tobytes()
    if order is not None:
        for number, index in enumerate(order, start=1):
            slices[index].InstanceNumber = number
        slices = [slices[index] for index in order]
    return Series.of(instances(slices, folder))


def thick_made_thin(voxels: np.ndarray, count: int, order: int = 1) -> np.ndarray:
    """Means of `count` slices along the first axis, interpolated back (0: repeated, 1: linear)."""
    whole = voxels[: len(voxels) // count * count]
    means = whole.reshape(-1, count, *whole.shape[1:]).mean(1)
    return np.asarray(zoom(means, (count, 1, 1), order=order, mode="nearest", grid_mode=True))


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two boolean arrays: 1 where they are equal, 0 where they share nothing."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 0.0
