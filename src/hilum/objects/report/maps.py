"""A parametric map upon the slice in which most of it lies."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from hilum.dicom.rendering import resized
from hilum.dicom.series import Series
from hilum.findings import ParametricMap
from hilum.objects.report.drawing import Marked, slice_of
from hilum.objects.report.evidence import colours
from hilum.objects.report.window import window_of


def mapped(series: Series, maps: Iterable[ParametricMap]) -> tuple[Marked, ...]:
    """A picture of each of `maps`, which are on the grid of `series`."""
    given = tuple(maps)
    if not given:
        return ()
    voxels = series.volume().array
    window = window_of(series, voxels)
    return tuple(_marked(series, one, voxels, window) for one in given)


def _marked(
    series: Series, given: ParametricMap, voxels: np.ndarray, window: tuple[float, float]
) -> Marked:
    low, high = given.range
    share = (given.values.array - low) / ((high - low) or 1.0)
    place = int(share.sum(axis=(1, 2)).argmax())
    shown = slice_of(series, voxels[place], window)
    ground = np.asarray(shown, np.float32)[..., None].repeat(3, axis=-1)
    colour, alpha = colours(np.asarray(resized(share[place].astype(np.float32), shown.size)))
    drawn = ground + alpha * (colour - ground)
    image = Image.fromarray((drawn.clip(0, 255) + 0.5).astype(np.uint8))
    name = series.frames[place].name
    return Marked(image, given.label, given.summary().extent, name)
