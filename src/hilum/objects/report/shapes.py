"""Where points, lines and boxes lie upon the images, and what is written of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hilum.dicom.frames import Frame
from hilum.dicom.series import Series
from hilum.findings import Angle, Box, Length, Shape
from hilum.objects.report.rows import Row

NEAR = 0.5 + 1e-3  # of the distance of slices: what lies nearer to a slice lies upon it


@dataclass(frozen=True)
class Placed:
    """A shape of a volume upon the slice that it lies on, or that its middle lies nearest to.

    `pixels` are (column, row) of its points, the centre of the first pixel is 0, 0. `is_flat`: all
    of them lie on that slice.
    """

    frame: Frame
    place: int
    pixels: np.ndarray
    is_flat: bool

    @classmethod
    def of(cls, shape: Shape, series: Series) -> "Placed":
        points = np.array(shape.points)
        spacing = series.stack.spacing
        assert spacing is not None, "it was checked to lie in a volume"
        away = np.array([_away(frame, points) for frame in series.frames])
        farthest = np.abs(away).max(axis=1)
        middle = np.abs([_away(frame, points.mean(axis=0)[None]) for frame in series.frames])
        place = int(farthest.argmin()) if farthest.min() <= NEAR * spacing else int(middle.argmin())
        frame = series.frames[place]
        is_flat = bool(farthest[place] <= NEAR * spacing)
        return cls(frame, place, _pixels(frame, points), is_flat)


def outline(shape: Shape, pixels: np.ndarray) -> np.ndarray:
    """(column, row) of the line that shows `shape`, whose points are `pixels`; closed for a box.

    The line of a box runs along the edges of its outermost pixels.
    """
    if not isinstance(shape, Box):
        return pixels
    (left, top), (right, bottom) = pixels.min(axis=0) - 0.5, pixels.max(axis=0) + 0.5
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return np.array(corners)


def box_mask(box: Box, series: Series) -> np.ndarray:
    """Boolean, on the grid of `series`: the voxels whose centres lie in `box`."""
    corners = series.indices_of(np.array(box.corners))
    first, last = np.round([corners.min(axis=0), corners.max(axis=0)]).astype(int)
    mask = np.zeros(series.shape, bool)
    mask[tuple(slice(max(a, 0), b + 1) for a, b in zip(first, last, strict=True))] = True
    return mask


def value_of(shape: Shape) -> str:
    """The number of a shape that was measured, ready to print; "" of others."""
    match shape:
        case Length():
            return f"{shape.value:.1f} mm"
        case Angle():
            return f"{shape.value:.1f}\N{DEGREE SIGN}"
        case _:
            return ""


def rows_of_shapes(shapes: Iterable[Shape]) -> list[Row]:
    """A row for each shape that was measured."""
    measured = (shape for shape in shapes if isinstance(shape, Length | Angle))
    units = {Length: "mm", Angle: "\N{DEGREE SIGN}"}
    return [Row(m.label, f"{m.value:.1f}", "", units[type(m)], m.colour) for m in measured]


def _away(frame: Frame, points: np.ndarray) -> np.ndarray:
    """How far `points` lie from the plane of `frame`, in mm."""
    _, _, normal = _axes(frame)
    return np.asarray((points - np.array(frame.position)) @ normal)


def _pixels(frame: Frame, points: np.ndarray) -> np.ndarray:
    along_row, along_column, _ = _axes(frame)
    assert frame.pixel_spacing is not None, "it lies in a volume"
    offset = points - np.array(frame.position)
    down, across = frame.pixel_spacing
    return np.stack([offset @ along_row / across, offset @ along_column / down], axis=1)


def _axes(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The directions of a row, of a column and of the normal."""
    assert frame.orientation is not None, "it lies in a volume"
    row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    return row, column, np.cross(row, column)
