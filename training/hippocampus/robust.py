"""How much the whole volume changes when the same hippocampus comes another way."""

from collections.abc import Callable, Sequence

import numpy as np
from highdicom import Volume
from scipy import ndimage

from hilum.modules.hippocampus.network import Segmentation, Segmenter


def robustness(segment: Segmenter, crops: Sequence[Volume]) -> dict[str, tuple[float, float]]:
    """Mean and largest absolute change of the whole volume (a share of it), by kind of change."""
    changes: dict[str, Callable[[Volume], Volume]] = {
        "spacing 0.9 mm": lambda v: resampled(v, 0.9),
        "spacing 1.1 mm": lambda v: resampled(v, 1.1),
        "2 mm less on every side": lambda v: v.with_array(v.array).crop_to_spatial_shape(
            [n - 4 for n in v.spatial_shape]
        ),
        "gamma 0.8": lambda v: gamma(v, 0.8),
        "gamma 1.25": lambda v: gamma(v, 1.25),
    }
    before = [volume_of(segment(crop)) for crop in crops]
    result = {}
    for name, change in changes.items():
        after = [volume_of(segment(change(crop))) for crop in crops]
        share = abs(np.array(after) / np.array(before) - 1)
        result[name] = (float(share.mean()), float(share.max()))
    return result


def volume_of(segmentation: Segmentation) -> float:
    """Of the whole hippocampus, in mm3."""
    return float((segmentation.labels > 0).sum() * segmentation.source.voxel_volume)


def resampled(volume: Volume, spacing: float) -> Volume:
    """`volume` (1 mm isotropic) on a grid of `spacing` mm, spline of order 3."""
    count = [int((n - 1) / spacing) + 1 for n in volume.spatial_shape]
    where = np.stack(np.meshgrid(*[np.arange(n) * spacing for n in count], indexing="ij"))
    affine = volume.affine @ np.diag([spacing, spacing, spacing, 1])
    voxels = ndimage.map_coordinates(volume.array, where, order=3, mode="nearest")
    return Volume(voxels, affine=affine, coordinate_system="PATIENT")


def gamma(volume: Volume, exponent: float) -> Volume:
    """Another contrast: intensities between the extremes to the power of `exponent`."""
    low, high = float(volume.array.min()), float(volume.array.max())
    unit = (volume.array - low) / (high - low)
    return volume.with_array((unit**exponent * (high - low) + low).astype(np.float32))
