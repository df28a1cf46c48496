"""Points, lines and boxes drawn upon a film, or upon the slice of a volume that shows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from hilum.dicom.rendering import resized
from hilum.dicom.series import Series
from hilum.findings import Point, Shape
from hilum.objects.report.shapes import Placed, outline, value_of
from hilum.objects.report.window import window_of

SIDE = 752  # pixels of the longer side of a slice: twice as large as it is shown
LINE, CROSS = 4, 11  # pixels: the width of a line, half the height of the cross of a point
SHADOW = (0, 0, 0)


@dataclass(frozen=True)
class Marked:
    """The slice on which something lies, with it drawn upon it."""

    image: Image.Image
    label: str
    value: str
    place: str


def with_shapes(
    picture: Image.Image, shapes: Iterable[Shape], size: tuple[int, int] | None
) -> Image.Image:
    """`picture` of an image of `size` (rows, columns) with the shapes that lie on it."""
    drawn = picture.convert("RGB")
    rows, columns = size or (picture.height, picture.width)
    scale = np.array([picture.width / columns, picture.height / rows])
    for shape in shapes:
        points = outline(shape, np.array(shape.points))
        _draw(drawn, shape, (points + 0.5) * scale)
    return drawn


def marked(series: Series, shapes: Sequence[Shape]) -> tuple[Marked, ...]:
    """A picture of each of `shapes`, which lie in the volume of `series`."""
    if not shapes:
        return ()
    voxels = series.volume().array
    window = window_of(series, voxels)
    return tuple(_marked(series, shape, voxels, window) for shape in shapes)


def _marked(
    series: Series, shape: Shape, voxels: np.ndarray, window: tuple[float, float]
) -> Marked:
    placed = Placed.of(shape, series)
    image = slice_of(series, voxels[placed.place], window).convert("RGB")
    # On the grid of the volume, which is not that of the frame where slices were straightened.
    points = series.indices_of(np.array(shape.points))
    line = outline(shape, points[:, [2, 1]])
    voxel, scale = _proportions(series)
    _draw(image, shape, (line + 0.5) * voxel * scale)
    where = placed.frame.name if placed.is_flat else f"{placed.frame.name} and others"
    return Marked(image, shape.label, value_of(shape), where)


def slice_of(series: Series, voxels: np.ndarray, window: tuple[float, float]) -> Image.Image:
    """One slice of `series`, `voxels` (rows, columns), in grey and rightly proportioned."""
    low, high = window
    grey = np.clip((voxels - low) / (high - low), 0, 1) * 255 + 0.5
    voxel, scale = _proportions(series)
    width, height = (max(1, round(side * scale)) for side in voxels.shape[::-1] * voxel)
    return resized(grey.astype(np.uint8), (width, height))


def _proportions(series: Series) -> tuple[np.ndarray, float]:
    """Millimetres that a voxel is wide and high, and pixels of a picture for one of these."""
    voxel = np.linalg.norm(series.affine[:3, :3], axis=0)[[2, 1]]
    return voxel, SIDE / max(series.shape[:0:-1] * voxel)


def _draw(picture: Image.Image, shape: Shape, points: np.ndarray) -> None:
    """Draw `shape` in its colour, with a dark rim, so that it is seen on any ground."""
    draw = ImageDraw.Draw(picture)
    for width, colour in ((LINE + 2, SHADOW), (LINE, shape.colour)):
        for line in _lines(shape, points):
            draw.line([(float(x), float(y)) for x, y in line], fill=colour, width=width)


def _lines(shape: Shape, points: np.ndarray) -> Iterable[np.ndarray]:
    if isinstance(shape, Point):
        (centre,) = points
        across, down = np.array([CROSS, 0]), np.array([0, CROSS])
        return (np.array([centre - arm, centre + arm]) for arm in (across, down))
    return (points[:2], points[2:]) if len(points) == 4 else (points,)
