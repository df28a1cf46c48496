"""The same hippocampus, come another way: how much the volume changes, and whether it passes."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import Volume
from scipy import ndimage

from hilum.modules.hippocampus.gates import Plausibility
from hilum.modules.hippocampus.network import Segmentation
from odd import outcome

Change = Callable[[Volume], Volume]

TILT = 10.0  # degrees
NOISE = 0.03  # of the range of intensities, one standard deviation


@dataclass(frozen=True, eq=False)
class Held:
    """A crop, its label (x, y, z), and a network and gates that have not seen the person."""

    volume: Volume
    label: np.ndarray
    segment: Callable[[Volume], Segmentation]
    judge: Plausibility

    @property
    def margin(self) -> int:
        """Voxels between the labelled hippocampus and the nearest border."""
        where = np.argwhere(self.label > 0)
        return int(min(where.min(), (np.array(self.label.shape) - 1 - where).min()))


@dataclass(frozen=True)
class Kept:
    """Absolute change of the whole volume, a share of it, and what the gates said."""

    mean: float
    largest: float
    outcomes: Counter[str]


def robustness(crops: Sequence[Held]) -> dict[str, Kept]:
    """By kind of change, without the crops of which it would cut the hippocampus itself."""
    before = [volume_of(crop.segment(crop.volume)) for crop in crops]
    result = {}
    for name, (needed, changes) in CHANGES.items():
        shares, outcomes = [], Counter[str]()
        for crop, volume in zip(crops, before, strict=True):
            if crop.margin <= needed:
                continue
            for change in changes:
                segmentation = crop.segment(change(crop.volume))
                shares.append(abs(volume_of(segmentation) / volume - 1))
                outcomes[outcome(crop.judge, segmentation)] += 1
        if shares:
            result[name] = Kept(float(np.mean(shares)), float(np.max(shares)), outcomes)
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


def noisy(volume: Volume) -> Volume:
    """With white noise of `NOISE`."""
    sigma = NOISE * float(np.ptp(volume.array))
    noise = np.random.default_rng(0).normal(0, sigma, volume.spatial_shape)
    return volume.with_array((volume.array + noise).astype(np.float32))


def tilted(volume: Volume, plane: tuple[int, int], degrees: float) -> Volume:
    """Turned in the plane of two axes, spline of order 3, on the same grid."""
    voxels = ndimage.rotate(volume.array, degrees, plane, reshape=False, order=3, mode="nearest")
    return volume.with_array(voxels)


def cut(volume: Volume, count: int) -> Volume:
    """Without the outer `count` voxels on every side."""
    return volume.crop_to_spatial_shape([n - 2 * count for n in volume.spatial_shape])


def _each(function: Callable[..., Volume], arguments: Iterable[tuple[object, ...]]) -> list[Change]:
    return [lambda volume, given=given: function(volume, *given) for given in arguments]


# least margin of the hippocampus, mm, and the changes of one kind
CHANGES: dict[str, tuple[int, list[Change]]] = {
    "spacing 0.9 mm": (0, _each(resampled, [(0.9,)])),
    "spacing 1.1 mm": (0, _each(resampled, [(1.1,)])),
    "2 mm less on every side": (2, _each(cut, [(2,)])),
    "3 mm less on every side": (3, _each(cut, [(3,)])),
    "turned by 10 degrees": (
        0,
        _each(tilted, [(p, d) for p in ((0, 1), (0, 2), (1, 2)) for d in (-TILT, TILT)]),
    ),
    "intensities x 0.01": (0, [lambda volume: volume.with_array(volume.array * 0.01)]),
    "intensities x 1000": (0, [lambda volume: volume.with_array(volume.array * 1000)]),
    "intensities + 1000": (0, [lambda volume: volume.with_array(volume.array + 1000)]),
    "noise of 3 % of the range": (0, [noisy]),
    "gamma 0.8": (0, _each(gamma, [(0.8,)])),
    "gamma 1.25": (0, _each(gamma, [(1.25,)])),
}
