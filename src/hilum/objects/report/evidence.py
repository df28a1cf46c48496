"""The heat map and the outline of the lungs on the picture of a radiograph."""

import numpy as np
from PIL import Image, ImageFilter

from hilum.checks import Colour
from hilum.dicom.rendering import resized
from hilum.findings import HeatMap
from hilum.objects.report.planes import line_along

OUTLINE_COLOUR = (120, 225, 255)
# Magma of matplotlib (CC0) from its middle on: lightness rises evenly with the evidence, and no
# grey of the film looks like it.
COLOURS = np.array(
    [
        (81, 18, 124),
        (129, 37, 129),
        (182, 54, 121),
        (229, 80, 100),
        (251, 135, 97),
        (254, 194, 135),
        (252, 253, 191),
    ],
    dtype=np.float32,
)
WEAKEST = 0.25  # evidence below this is not drawn, for the film to stay readable
STRONGEST = 0.55  # opacity of the strongest evidence
OUTSIDE = 0.7  # how strongly evidence outside the region is drawn
INSIDE = 128


def with_evidence(picture: Image.Image, heat: HeatMap) -> Image.Image:
    """`picture` in colour, with the heat map and thinly the outline of its region."""
    size = picture.size
    evidence = np.asarray(resized(heat.values, size))
    if heat.region is not None:
        evidence = _muted_outside(evidence, np.asarray(resized(heat.region * np.uint8(255), size)))
    colour, alpha = colours(evidence)
    rgb = np.repeat(np.asarray(picture, dtype=np.float32)[..., None], 3, axis=2)
    rgb += alpha * (colour - rgb)
    if heat.region is not None:
        line = _outline(heat.region, size)[..., None]
        rgb += line * (np.array(OUTLINE_COLOUR, dtype=np.float32) - rgb)
    return Image.fromarray((rgb.clip(0, 255) + 0.5).astype(np.uint8))


def _muted_outside(evidence: np.ndarray, region: np.ndarray) -> np.ndarray:
    """`evidence` whose strongest place lies in `region` (0-255), as the eye goes to it first.

    What lies outside is drawn weaker, and never stronger than what lies inside.
    """
    inside = region >= INSIDE
    strongest = float(evidence[inside].max()) if inside.any() else 1.0
    outside = np.minimum(OUTSIDE * evidence, max(strongest, WEAKEST))
    return np.asarray(np.where(inside, evidence, outside), np.float32)


def colours(evidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour (..., 3), 0-255, and opacity (..., 1) of `evidence`, 0-1."""
    strength = np.clip((evidence - WEAKEST) / (1 - WEAKEST), 0, 1)
    steps = np.linspace(0, 1, len(COLOURS))
    rgb = np.stack([np.interp(strength, steps, channel) for channel in COLOURS.T], axis=-1)
    return rgb.astype(np.float32), (STRONGEST * strength)[..., None].astype(np.float32)


def scale_of_colours(steps: int = 24) -> tuple[Colour, ...]:
    """The colours of the heat map from none to most, as they look on grey."""
    colour, alpha = colours(np.linspace(0, 1, steps, dtype=np.float32))
    upon_grey = (96 + alpha * (colour - 96)).round().astype(int).tolist()
    return tuple((red, green, blue) for red, green, blue in upon_grey)


def fitted(picture: Image.Image, width: float, height: float) -> Image.Image:
    """`picture` as large as fits into `width` x `height`."""
    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _outline(region: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Opacity, 0-1, of a thin line along the edge of `region`, in a picture of `size`."""
    mask = resized(region.astype(np.uint8) * 255, size)
    smooth = mask.filter(ImageFilter.GaussianBlur(1.5))
    return line_along(np.asarray(smooth, dtype=np.float32) / 255, 3.0)
