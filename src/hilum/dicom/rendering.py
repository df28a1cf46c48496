"""A film as a small picture for people: 8 bit grey, rightly proportioned, its own window."""

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

SIDE = 900  # pixels of the longer side; pictures and pages show films smaller
WINDOW = (0.5, 99.7)  # percentiles shown as black and as white


def rendered(values: np.ndarray, header: Dataset) -> np.ndarray:
    """`values` (rows, columns), dense is bright, as uint8 with a longer side of `SIDE` pixels."""
    height, width = values.shape[0] * _tallness(header), float(values.shape[1])
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    low, high = np.percentile(_inner(values), WINDOW)
    shown = (np.asarray(resized(values, size)) - low) / max(float(high - low), 1e-6)
    return np.asarray(shown.clip(0, 1) * 255 + 0.5, np.uint8)


def resized(values: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """`values` as an image of `size` (width, height); a large one is first averaged down."""
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _inner(values: np.ndarray) -> np.ndarray:
    """The values without the plateaus at both ends: border, padding and burned-in letters."""
    step = max(1, min(values.shape) // 800)  # a sample of a large film has the same percentiles
    values = values[::step, ::step]
    inner = values[(values > values.min()) & (values < values.max())]
    return inner if inner.size > values.size // 10 else values


def _tallness(header: Dataset) -> float:
    """Height of a pixel divided by its width."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        try:
            down, across = (float(value) for value in header.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if 0.2 < down / max(across, 1e-6) < 5:
            return down / across
    return 1.0
