"""Outlines of a mask along its pixel edges, exact to the pixel."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

Point = tuple[int, int]
Loop = list[Point]  # closed: the last point is the first one; corners of pixels, one step apart


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """One closed outline for each connected part of a boolean (rows, columns) mask.

    Each is a float32 array (points, 2) of (column, row) in image coordinates whose last point
    repeats the first. The corner of the first pixel is 0, 0 (PS3.3 C.18.6.1.2), so that the polygon
    encloses exactly the pixels of the part. Pixels touching only at a corner are different parts.

    A polyline has no holes (PS3.3 C.10.5.1.2), so each hole is cut out by a bridge: the line goes
    to the hole, around it, and back on the same way. The bridge has no width, so that the hole is
    outside by the even-odd and by the non-zero winding rule, and the area is that of the mask.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not rows.size:
        return []
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # most of a slice is empty
    corner = np.array((columns[0], rows[0]), dtype=np.float32)
    return [outline + corner for outline in _outlines(part)]


def _outlines(mask: np.ndarray) -> list[np.ndarray]:
    edges = _edges(mask)
    loops = []
    while edges:
        loops.append(_follow(edges))
    areas = [_signed_area(loop) for loop in loops]
    bridges = _bridges(mask, [loop for loop, area in zip(loops, areas, strict=True) if area < 0])
    outer = (loop for loop, area in zip(loops, areas, strict=True) if area > 0)
    return [np.array(_turns(_walk(loop, bridges)), dtype=np.float32) for loop in outer]


def _bridges(mask: np.ndarray, holes: Iterable[Loop]) -> dict[Point, list[Loop]]:
    """The holes by the place on another boundary where the bridge to each of them begins.

    It runs from the leftmost corner of the hole to the left, through the part around the hole. So
    it ends at the outline of this part, or at a hole further left, which has a bridge of its own.
    """
    padded = np.pad(mask, 1)
    bridges: dict[Point, list[Loop]] = defaultdict(list)
    for hole in holes:
        column, row = tip = min(hole)
        while padded[row : row + 2, column].all():  # the pixels left of the corner, above and below
            column -= 1
        turned = hole.index(tip)
        bridges[column, row].append([*hole[turned:-1], *hole[: turned + 1]])
    return bridges


def _walk(loop: Loop, bridges: dict[Point, list[Loop]]) -> Iterator[Point]:
    """Along `loop`, and at each bridge over to the holes, around them, and back."""
    ways = [iter(loop)]
    while ways:
        for point in ways[-1]:
            yield point
            if holes := bridges.pop(point, None):
                ways.append(chain.from_iterable([[*hole, point] for hole in holes]))
                break
        else:
            ways.pop()


def _turns(points: Iterable[Point]) -> Loop:
    """Only the points where the line turns, and its ends."""
    kept: Loop = []
    heading = (0, 0)
    for point in points:
        if kept:
            step = (point[0] - kept[-1][0], point[1] - kept[-1][1])
            after = (int(np.sign(step[0])), int(np.sign(step[1])))
            if after == heading:
                kept.pop()
            heading = after
        kept.append(point)
    return kept


def _edges(mask: np.ndarray) -> dict[Point, list[Point]]:
    """Directed unit edges between inside and outside; the inside lies to the right of each."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    edges: dict[Point, list[Point]] = defaultdict(list)
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    for neighbour, (from_x, from_y), (to_x, to_y) in sides:
        for row, column in np.argwhere(inside & ~neighbour).tolist():
            edges[column + from_x, row + from_y].append((column + to_x, row + to_y))
    return edges


def _follow(edges: dict[Point, list[Point]]) -> Loop:
    """Take one closed loop out of `edges`."""
    start = next(iter(edges))
    first = edges[start][0]
    loop = [start, first]
    while True:
        before, point = loop[-2:]
        # Where two pixels touch at a corner two edges leave: turning right stays on this pixel.
        after = max(edges[point], key=lambda end: _turn(before, point, end))
        if (point, after) == (start, first):
            _take(edges, start, first)
            return loop
        _take(edges, point, after)
        loop.append(after)


def _take(edges: dict[Point, list[Point]], point: Point, after: Point) -> None:
    edges[point].remove(after)
    if not edges[point]:
        del edges[point]


def _turn(before: Point, point: Point, after: Point) -> int:
    """Positive for a right turn in image coordinates (rows downwards)."""
    (x0, y0), (x1, y1), (x2, y2) = before, point, after
    return (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1)


def _signed_area(loop: Loop) -> float:
    x, y = np.array(loop, dtype=np.float64).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2
