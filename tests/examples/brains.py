"""A head of ellipsoids, and a brain mask that needs no network: by a threshold and morphology."""

from pathlib import Path

import numpy as np
import pydicom
from scipy import ndimage

from hilum.testing import write_series
from hilum_module import Volume

SHAPE, SPACING = (70, 80, 68), 2.0  # slices, rows, columns; mm
RADII = {"scalp": (64, 74, 62), "skull": (59, 69, 57), "brain": (54, 64, 52)}  # mm
SHADES = {"scalp": 900, "skull": 60, "brain": 600}


def inside(radii: tuple[int, int, int]) -> np.ndarray:
    """True within the ellipsoid in the middle of the image."""
    axes = np.ogrid[tuple(slice(size) for size in SHAPE)]
    middle = ((size - 1) / 2 for size in SHAPE)
    parts = zip(axes, middle, radii, strict=True)
    return np.asarray(sum(((axis - m) * SPACING / r) ** 2 for axis, m, r in parts) <= 1)


def write_head(folder: Path) -> list[Path]:
    """A head as a 3D T1 series of 2 mm voxels."""
    voxels = np.zeros(SHAPE)
    for part, radii in RADII.items():
        voxels[inside(radii)] = SHADES[part]
    voxels += np.random.default_rng(1).integers(0, 40, SHAPE)
    about = {"PixelSpacing": [SPACING, SPACING], "SliceThickness": SPACING}
    files = write_series(folder, SHAPE[0], SHAPE[1:], **about)
    for index, path in enumerate(files):
        image = pydicom.dcmread(path)
        image.ImagePositionPatient = [0, 0, index * SPACING]
        image.PixelData = voxels[index].astype(np.uint16).tobytes()
        image.save_as(path)
    return files


def by_threshold(volume: Volume) -> np.ndarray | None:
    """The bright part in the middle of the head: Otsu's threshold, opened, one piece, filled."""
    bright = ndimage.binary_opening(volume.array > _otsu(volume.array), iterations=2)
    pieces, _ = ndimage.label(bright)
    middle = pieces[tuple(size // 2 for size in pieces.shape)]
    return ndimage.binary_fill_holes(pieces == middle) if middle else None


def _otsu(values: np.ndarray) -> float:
    """The threshold that parts dark from bright best (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    shades = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * shades)
    between = (
        below[:-1]
        * above[:-1]
        * (total[:-1] / below[:-1] - (total[-1] - total[:-1]) / np.maximum(above[:-1], 1)) ** 2
    )
    return float(edges[1:][between.argmax()])
