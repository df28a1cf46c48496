"""A parametric map upon the slice in which most of it lies."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from hilum.dicom.rendering import resized
from hilum.dicom.series import Series
from hilum.findings import ParametricMap
from hilum.objects.report.drawing import SIDE, Marked
from hilum.objects.report.evidence import colours
from hilum.objects.report.window import window_of


def mapped(series: Series, maps: Iterable[ParametricMap]) -> tuple[Marked, ...]:
    """A picture of each of `maps`, which are on the grid of `series`."""
    given = tuple(maps)
    if not given:
        return ()
    voxels = series.volume().array
    low, high = window_of(series, voxels)
    grey = np.clip((voxels - low) / (high - low), 0, 1) * 255 + 0.5
    return tuple(_marked(series, one, grey.astype(np.uint8)) for one in given)


def _marked(series: Series, given: ParametricMap, grey: np.ndarray) -> Marked:
    low, high = given.range
    share = (given.values.array - low) / ((high - low) or 1.0)
    place = int(share.sum(axis=(1, 2)).argmax())
    _, down, across = np.linalg.norm(series.affine[:3, :3], axis=0)  # mm
    height, width = grey.shape[1] * down, grey.shape[2] * across
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    ground = np.asarray(resized(grey[place], size), np.float32)[..., None].repeat(3, axis=-1)
    colour, alpha = colours(np.asarray(resized(share[place].astype(np.float32), size)))
    drawn = ground + alpha * (colour - ground)
    image = Image.fromarray((drawn.clip(0, 255) + 0.5).astype(np.uint8))
    name = series.frames[place].name
    return Marked(image, given.label, given.summary().extent, name)
