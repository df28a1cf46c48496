"""Outlines enclose exactly the pixels of the mask, whatever its holes."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from scipy import ndimage

from hilum.objects.iod.contours import outlines

MASKS = arrays(np.bool_, (8, 7))


@given(MASKS)
@settings(max_examples=400, deadline=None)
def test_outlines_enclose_exactly_the_mask(mask):
    """By both fill rules: the winding number is 1 inside, 0 outside, and never anything else."""
    together = np.zeros(mask.shape, dtype=int)
    drawn = np.zeros_like(mask)
    area = 0.0
    for points in outlines(mask):
        assert np.array_equal(points[0], points[-1])
        winding = _winding(points, mask.shape)
        together += winding
        drawn |= _fill(points, mask.shape)
        area += _area(points)
    assert np.array_equal(together, mask.astype(int))
    assert np.array_equal(drawn, mask)
    assert area == mask.sum()


@given(MASKS)
@settings(max_examples=100, deadline=None)
def test_every_part_has_one_outline(mask):
    assert len(outlines(mask)) == ndimage.label(mask)[1]


def test_a_bridge_to_a_hole_lies_inside_the_mask():
    """A viewer that draws the line of the bridge draws it through the structure."""
    ring = np.ones((9, 9), dtype=bool)
    ring[3:6, 4:7] = False
    (points,) = outlines(ring)
    steps = np.abs(np.diff(points, axis=0))
    assert ((steps == 0).sum(axis=1) == 1).all()  # along the edges of pixels
    assert [4, 3] in points.tolist()
    assert [0, 3] in points.tolist()


def test_empty_mask_has_no_outline():
    assert outlines(np.zeros((4, 4), dtype=bool)) == []


def test_hundreds_of_holes_are_cut_out():
    """A lung holds as many vessels on a slice."""
    mask = np.ones((256, 256), dtype=bool)
    mask[2:-2:4, 2:-2:4] = False
    (points,) = outlines(mask)
    assert _area(points) == mask.sum()


def _winding(points, shape):
    """How often the polygon goes around the middle of each pixel, clockwise in image coordinates.

    A crossing of the ray to the left counts once for each edge, so its parity is the even-odd rule.
    """
    down = np.zeros((shape[0], shape[1] + 1), dtype=int)
    places = points.astype(int).tolist()
    for (x, y), (x_after, y_after) in pairwise(places):
        if x == x_after:
            low, high = sorted((y, y_after))
            down[low:high, x] += 1 if y_after < y else -1
    return np.cumsum(down, axis=1)[:, : shape[1]]


def _area(points):
    x, y = points.astype(float).T
    return (x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def _fill(points, shape):
    """Pixels whose centre lies inside the polygon, drawn at ten times the size."""
    image = Image.new("1", (shape[1] * 10, shape[0] * 10))
    ImageDraw.Draw(image).polygon([(x * 10, y * 10) for x, y in points.tolist()], fill=1)
    return np.asarray(image)[5::10, 5::10]
