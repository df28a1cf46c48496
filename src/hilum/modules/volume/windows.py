"""A window slides over a volume, and what the network says of each is blended."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from hilum.modules.volume.card import Patch

SIGMA = 0.125  # of a side: how fast the weight of a window falls from its middle, as in training
LEAST_WEIGHT = 1e-3  # of the middle: no voxel is without any
Network = Callable[[np.ndarray], np.ndarray]


def over_all(network: Network, image: np.ndarray, patch: Patch) -> np.ndarray:
    """What `network` says of each voxel of `image`: (channels, three sides as those of `image`).

    `network` takes float32 (three sides) and gives (channels, three sides).
    """
    if patch.size is None:
        sides = tuple(-(-n // m) * m for n, m in zip(image.shape, patch.multiple, strict=True))
    else:
        sides = tuple(max(n, p) for n, p in zip(image.shape, patch.size, strict=True))
    padded, inside = _padded(image, sides, patch)
    if patch.size is None:
        return np.asarray(network(padded)[:, *inside], np.float32)
    return _blended(network, padded, patch.size, patch)[:, *inside]


def _padded(
    image: np.ndarray, sides: tuple[int, ...], patch: Patch
) -> tuple[np.ndarray, tuple[slice, ...]]:
    """`image` in the middle of an array with these `sides`, and where it lies in it."""
    before = [(wanted - n) // 2 for n, wanted in zip(image.shape, sides, strict=True)]
    added = [(b, w - n - b) for b, n, w in zip(before, image.shape, sides, strict=True)]
    inside = tuple(slice(b, b + n) for b, n in zip(before, image.shape, strict=True))
    if patch.pad == "edge":
        return np.pad(image, added, mode="edge"), inside
    return np.pad(image, added, constant_values=patch.pad), inside


def _blended(
    network: Network, image: np.ndarray, size: tuple[int, ...], patch: Patch
) -> np.ndarray:
    """The mean of what all windows say of each voxel, by their weights."""
    weight = _weight(size) if patch.blend == "gaussian" else np.ones(size, np.float32)
    total = np.zeros(image.shape, np.float32)
    said: np.ndarray | None = None
    for window in windows(image.shape, size, patch.overlap):
        found = network(np.ascontiguousarray(image[window]))
        if said is None:
            said = np.zeros((len(found), *image.shape), np.float32)
        said[:, *window] += found * weight
        total[window] += weight
    assert said is not None
    said /= total
    return said


def windows(
    shape: tuple[int, ...], size: tuple[int, ...], overlap: float
) -> Iterator[tuple[slice, ...]]:
    """Windows of `size` that together cover `shape`, evenly spread; each side is large enough."""
    starts = []
    for n, side in zip(shape, size, strict=True):
        steps = int(np.ceil((n - side) / max(1, side * (1 - overlap))))
        starts.append([round(k * (n - side) / steps) for k in range(steps + 1)] if steps else [0])
    for corner in product(*starts):
        yield tuple(slice(c, c + side) for c, side in zip(corner, size, strict=True))


def _weight(size: tuple[int, ...]) -> np.ndarray:
    """A Gaussian in the middle of a window, 1 at its highest."""
    distance = np.zeros(size)
    for axis, side in enumerate(size):
        place = (np.arange(side) - (side - 1) / 2) / (SIGMA * side)
        distance += np.expand_dims(place**2, [other for other in range(3) if other != axis])
    weight = np.exp(-0.5 * (distance - distance.min()))
    return np.asarray(np.maximum(weight, LEAST_WEIGHT), np.float32)
