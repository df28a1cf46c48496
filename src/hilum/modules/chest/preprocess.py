"""From a film's values to what the networks see. Training and inference both call this.

All arrays are (rows, columns); boxes are (top, left, bottom, right), the last two exclusive.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import label

MAP_SIDE = 1024  # most rows or columns of what is laid on the film
SHORT_SIDE = 320  # pixels; the films of the training set have no more
DARK = 0.08  # of the stretched range: collimation and air beside the patient
UNIFORM = 0.03
MOST_BORDER = 0.4  # of a side that may be border
LUNG_MARGIN = 0.08  # of the lungs' size, laid around them
LEAST_LUNG_PIECE = 0.1  # of the largest piece; smaller ones are stray

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A film without its border, 0-1, short side `SHORT_SIDE` or less.

    `box` is what remained of the film, in its own pixels; `shape` is the film's (rows, columns).
    """

    image: np.ndarray
    box: Box
    shape: tuple[int, int]

    @property
    def place(self) -> tuple[Box, tuple[int, int]]:
        """`box` and `shape` on the film's grid, made coarser to `MAP_SIDE` fields at most."""
        scale = min(1.0, MAP_SIDE / max(self.shape))
        rows, columns = (max(1, round(side * scale)) for side in self.shape)
        top, left = (int(edge * scale) for edge in self.box[:2])
        bottom, right = (round(edge * scale) for edge in self.box[2:])
        return (top, left, max(bottom, top + 1), max(right, left + 1)), (rows, columns)

    def on_film(self, values: np.ndarray) -> np.ndarray:
        """`values` on the grid of `image`, laid on the film's (`place`); 0 in the border."""
        (top, left, bottom, right), shape = self.place
        film = np.zeros(shape, np.float32)
        film[top:bottom, left:right] = bilinear(values, (bottom - top, right - left))
        return film

    def mask_on_film(self, mask: np.ndarray) -> np.ndarray:
        """The same for a boolean mask, by the nearest field."""
        (top, left, bottom, right), shape = self.place
        rows = np.arange(bottom - top) * mask.shape[0] // (bottom - top)
        columns = np.arange(right - left) * mask.shape[1] // (right - left)
        film = np.zeros(shape, bool)
        film[top:bottom, left:right] = mask[np.ix_(rows, columns)]
        return film


def prepare(values: np.ndarray) -> Prepared:
    """Take off the border of a film (bright = dense, any range and size) and stretch it to 0-1."""
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"a film has rows and columns, not the shape {values.shape}")
    values = np.asarray(values, np.float32)
    small = stretched(reduced(values))
    scale = np.array(values.shape * 2) / np.array(small.shape * 2)
    top, left, bottom, right = map(round, (np.array(inside(small)) * scale).tolist())
    box = (top, left, bottom, right)
    if box == (0, 0, *values.shape):
        return Prepared(small, box, values.shape)
    return Prepared(stretched(reduced(values[top:bottom, left:right])), box, values.shape)


def inside(image: np.ndarray) -> Box:
    """What a stretched film shows inside its collimation border and the dark air around it."""
    box = [0, 0, *image.shape]
    for _ in range(2):  # a corner hides part of a side until the other side is off
        for axis in (0, 1):
            rest = image[box[0] : box[2], box[1] : box[3]]
            low, high = np.percentile(rest, (5, 95), axis=1 - axis)
            border = (high < DARK) | (high - low < UNIFORM)
            most = int(MOST_BORDER * image.shape[axis])
            first = min(_run(border), max(most - box[axis], 0))
            last = min(_run(border[::-1]), max(most - (image.shape[axis] - box[axis + 2]), 0))
            box[axis] += first
            box[axis + 2] -= last
    top, left, bottom, right = box
    return top, left, bottom, right


def stretched(image: np.ndarray) -> np.ndarray:
    """Clip to the 1st and 99th percentile and scale to 0-1; a flat image becomes 0."""
    image = np.nan_to_num(image)
    low, high = map(float, np.percentile(image, (1, 99)))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-6), 0, 1), np.float32)


def reduced(image: np.ndarray) -> np.ndarray:
    """Area-averaged to a short side of `SHORT_SIDE`, aspect ratio kept; never enlarged."""
    scale = SHORT_SIDE / min(image.shape)
    if scale >= 1:
        return image
    rows, columns = (max(1, round(side * scale)) for side in image.shape)
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX))


def bilinear(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bilinear, antialiased when it shrinks; `shape` is (rows, columns)."""
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.BILINEAR))


def square_around(box: Box) -> Box:
    """The smallest square with the same centre that holds `box`; it may reach past the image."""
    top, left, bottom, right = box
    side = max(bottom - top, right - left)
    top, left = (top + bottom - side) // 2, (left + right - side) // 2
    return top, left, top + side, left + side


def cropped(image: np.ndarray, box: Box) -> np.ndarray:
    """What lies in `box`; beyond the image its edge goes on."""
    top, left, bottom, right = box
    rows = np.clip(np.arange(top, bottom), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, right), 0, image.shape[1] - 1)
    return np.asarray(image[np.ix_(rows, columns)])


def pasted(values: np.ndarray, box: Box, shape: tuple[int, int]) -> np.ndarray:
    """The way back from `cropped`: `values` (any size) laid into `box` of an empty `shape`."""
    top, left, bottom, right = box
    enlarged = bilinear(values, (bottom - top, right - left))
    image = np.zeros(shape, np.float32)
    rows, columns = (
        slice(max(a, 0), min(b, n))
        for a, b, n in ((top, bottom, shape[0]), (left, right, shape[1]))
    )
    image[rows, columns] = enlarged[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return image


def squared(image: np.ndarray, size: int) -> np.ndarray:
    """The whole image as (size, size): aspect ratio kept, its edge going on beside it."""
    return bilinear(cropped(image, square_around((0, 0, *image.shape))), (size, size))


def unsquared(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The way back from `squared`, to an image of `shape`."""
    return pasted(values, square_around((0, 0, *shape)), shape)


def lung_box(lungs: np.ndarray) -> Box | None:
    """The square around the lungs (boolean mask), with its margin; None without lungs."""
    pieces, count = label(lungs)
    if not count:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.flatnonzero(sizes >= LEAST_LUNG_PIECE * sizes.max()) + 1
    rows, columns = np.nonzero(np.isin(pieces, large))
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    margin = int(LUNG_MARGIN * max(bottom - top, right - left))
    return square_around(
        (int(top) - margin, int(left) - margin, int(bottom) + margin, int(right) + margin)
    )


def _run(flags: np.ndarray) -> int:
    """How many flags are set from the start on."""
    return len(flags) if flags.all() else int(flags.argmin())
