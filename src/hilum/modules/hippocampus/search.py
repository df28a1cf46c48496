"""Where the two hippocampi of a head probably are, without any other network.

The mean look of the training crops is correlated with the head at several sizes, once as it is for
the left hippocampus and once mirrored for the right one; of all pairs of places the best is taken
that two hippocampi of one head could have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import fft
from scipy.ndimage import map_coordinates, maximum_filter

from hilum.modules.hippocampus.gates import BOX

STEP = 3.0  # mm between the voxels of the image that is searched
SIZES = (0.85, 0.95, 1.05, 1.15)  # of a head, relative to the mean of the training persons

# what two hippocampi of one head are to each other, mm; in adults their middles are 45-65 mm apart
APART = (32.0, 85.0)
ASKEW = 25.0  # to front or back, up or down: heads lie crooked
PEAKS = 8  # candidates for each side
PEAK_DISTANCE = 5  # voxels
FLAT = 1e-2  # of the image's variance: below it there is nothing to correlate with


@dataclass(frozen=True)
class Location:
    """Where a hippocampus probably is: `centre` is its centroid (RAS, mm).

    `correlation` is that of its surroundings with the training crops. `mirrored`: it is the right
    one, whose crop is mirrored before the network sees it.
    """

    centre: np.ndarray
    correlation: float
    mirrored: bool


def find_pair(
    image: np.ndarray, first: np.ndarray, template: np.ndarray
) -> tuple[Location, Location] | None:
    """The left and the right hippocampus, or None where no pair of places could be them.

    Parameters
    ----------
    image
        A head (x, y, z), `STEP` mm, axes to the right, to anterior, to the head; zero outside.
    first
        Place of its first voxel (RAS, mm).
    template
        Mean appearance of the training crops (`gates.appearance`); NaN where it is unknown.
    """
    correlated = _Correlated(image)
    sides = []
    for mirrored in (False, True):
        maps = [correlated.with_(*_scaled(template, size, mirrored)) for size in SIZES]
        sides.append(list(_peaks(np.max(maps, axis=0), first, mirrored)))
    pairs = [(left, right) for left, right in product(*sides) if _could_be(left, right)]
    return max(pairs, key=lambda pair: pair[0].correlation + pair[1].correlation, default=None)


def _could_be(left: Location, right: Location) -> bool:
    apart, *askew = right.centre - left.centre
    return bool(APART[0] <= apart <= APART[1] and np.hypot(*askew) <= ASKEW)


def _peaks(correlation: np.ndarray, first: np.ndarray, mirrored: bool) -> Iterator[Location]:
    """The highest local maxima."""
    at = np.argwhere(correlation == maximum_filter(correlation, PEAK_DISTANCE))
    values = correlation[tuple(at.T)]
    for index in np.argsort(-values, kind="stable")[:PEAKS]:
        yield Location(at[index] * STEP + first, float(values[index]), mirrored)


def _scaled(template: np.ndarray, size: float, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """The template of a head `size` times as large, and the index of the centroid in it."""
    axes = [
        np.arange(np.ceil(places[0] * size / STEP), np.floor(places[-1] * size / STEP) + 1)
        for places in BOX
    ]
    starts, steps = np.array([(places[0], places[1] - places[0]) for places in BOX]).T
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1) * STEP / size
    where = np.moveaxis((places - starts) / steps, -1, 0)
    scaled = map_coordinates(template, where, order=1, cval=np.nan)
    middle = np.array([-axis[0] for axis in axes]).astype(int)
    if mirrored:
        scaled = scaled[::-1]
        middle[0] = len(scaled) - 1 - middle[0]
    return scaled, middle


class _Correlated:
    """Correlation of an image with templates at every place, by Fourier transforms."""

    def __init__(self, image: np.ndarray) -> None:
        self._shape = image.shape
        reach = max(len(places) for places in BOX) * max(SIZES) + 1
        self._size = [_fast(int(n + reach)) for n in image.shape]
        scaled = (image / max(float(image.std()), 1e-6)).astype(np.float32)
        self._image = self._transform(scaled)
        self._squares = self._transform(scaled * scaled)

    def with_(self, template: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """Pearson's correlation, with the template's voxel `middle` at each place, without NaNs.

        The template may hang over the border of the image, beyond which everything is zero.
        """
        mask = np.isfinite(template).astype(np.float32)
        count = float(mask.sum())
        pattern = np.where(mask > 0, template, 0).astype(np.float32)
        pattern = (pattern - pattern.sum() / count) * mask
        pattern /= np.linalg.norm(pattern)
        window = self._transform(mask).conj()
        mean = self._back(self._image * window, middle) / count
        spread = self._back(self._squares * window, middle) - count * mean**2
        shared = self._back(self._image * self._transform(pattern).conj(), middle)
        return np.asarray(shared / np.sqrt(np.maximum(spread, FLAT * count)))

    def _transform(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(fft.rfftn(values, self._size))

    def _back(self, spectrum: np.ndarray, middle: Sequence[int] | np.ndarray) -> np.ndarray:
        shifted = np.roll(fft.irfftn(spectrum, self._size), middle, (0, 1, 2))
        return np.asarray(shifted[tuple(slice(n) for n in self._shape)])


def _fast(length: int) -> int:
    """The next length that transforms fast."""
    return int(fft.next_fast_len(length, real=True))
