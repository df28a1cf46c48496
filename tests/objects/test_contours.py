"""Outlines enclose exactly the pixels of the mask."""

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from scipy import ndimage

from hilum.objects.contours import outlines

MASKS = arrays(np.bool_, (7, 6))


@given(MASKS)
@settings(max_examples=150, deadline=None)
def test_outlines_enclose_the_mask_with_its_holes_filled(mask):
    filled = np.zeros_like(mask)
    labels, count = ndimage.label(mask)
    for number in range(1, count + 1):
        # Holes closed by pixels that touch only at a corner belong to the outside of a part.
        eight = ndimage.generate_binary_structure(2, 2)
        filled |= ndimage.binary_fill_holes(labels == number, eight)
    drawn = np.zeros_like(mask)
    for points in outlines(mask):
        assert np.array_equal(points[0], points[-1])
        drawn |= _fill(points, mask.shape)
    assert np.array_equal(drawn, filled)


def test_empty_mask_has_no_outline():
    assert outlines(np.zeros((4, 4), dtype=bool)) == []


def _fill(points, shape):
    """Pixels whose centre lies inside the polygon, drawn at ten times the size."""
    image = Image.new("1", (shape[1] * 10, shape[0] * 10))
    ImageDraw.Draw(image).polygon([(x * 10, y * 10) for x, y in points.tolist()], fill=1)
    return np.asarray(image)[5::10, 5::10]
