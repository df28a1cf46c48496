"""Films made into what the gate must refuse, and what it must not. Values are (rows, columns)."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, rotate

from augment import intensity
from hilum.modules.chest.networks import LungSegmenter
from hilum.modules.chest.preprocess import bilinear, prepare

LUNGS_LOST = (0.25, 0.7)  # share of the lungs that is left on a cropped film
LUNGS_KEPT = 0.97
TRIES = 40

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def mild(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Still a good film: turned by a few degrees, another exposure, mirrored or not."""
    film = rotate(film, float(rng.normal(0, 3)), reshape=False, order=1, mode="nearest")
    unit = (film - film.min()) / max(float(np.ptp(film)), 1e-6)
    tensor = torch.from_numpy(np.ascontiguousarray(unit, np.float32))[None, None]
    changed = intensity(tensor, rng)[0, 0].numpy()
    return changed[:, ::-1] if rng.random() < 0.3 else changed


def rotated(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.rot90(film, int(rng.choice([1, 3])))


def upside_down(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned by 180 degrees, or mirrored top to bottom."""
    return np.rot90(film, 2) if rng.random() < 0.5 else film[::-1]


def inverted(film: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    return film.max() - film


class Cropper:
    """Cuts films so that a wanted share of the lungs is left."""

    def __init__(self) -> None:
        self._segment = LungSegmenter()

    def __call__(
        self, film: np.ndarray, rng: np.random.Generator, low: float, high: float
    ) -> np.ndarray | None:
        """A window with a share of the lungs between `low` and `high`; None if none was met."""
        prepared = prepare(film)
        lungs = prepared.on_film(self._segment(prepared.image)) > 0.5
        rows, columns = film.shape
        for _ in range(TRIES):
            height, width = (int(side * rng.uniform(0.35, 1)) for side in (rows, columns))
            top, left = int(rng.integers(rows - height + 1)), int(rng.integers(columns - width + 1))
            part = (slice(top, top + height), slice(left, left + width))
            if low <= lungs[part].sum() / max(lungs.sum(), 1) <= high:
                return film[part]
        return None


def nothing(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """No film at all: noise, blobs, stripes, discs, or a film's pieces in disorder."""
    shape = (320, int(rng.integers(240, 400)))
    kind = rng.integers(5)
    if kind == 0:
        return rng.random(shape)
    if kind == 1:
        return gaussian_filter(rng.standard_normal(shape), float(rng.uniform(2, 40)))
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    if kind == 2:
        return np.sin(x * rng.uniform(-30, 30) + y * rng.uniform(-30, 30))
    if kind == 3:
        return _discs(x, y, rng)
    side = int(rng.choice([40, 60, 80]))
    small = bilinear(film.astype(np.float32), (240, 240))
    tiles = [
        small[i : i + side, j : j + side] for i in range(0, 240, side) for j in range(0, 240, side)
    ]
    order = rng.permutation(len(tiles))
    per = 240 // side
    return np.block([[tiles[order[r * per + c]] for c in range(per)] for r in range(per)])


def _discs(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ellipses inside one another, with texture: heads, bellies, phantoms."""
    image = np.zeros(x.shape)
    for _ in range(int(rng.integers(2, 8))):
        cx, cy = rng.normal(0, 0.25, 2)
        a, b = rng.uniform(0.1, 0.9, 2)
        image[((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1] = rng.random()
    texture = gaussian_filter(rng.standard_normal(x.shape), float(rng.uniform(1, 8)))
    return image + rng.uniform(0, 0.5) * texture / texture.std() * 0.3
