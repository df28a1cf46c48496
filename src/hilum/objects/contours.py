"""Outlines of a mask along its pixel edges, exact to the pixel."""

from collections import defaultdict

import numpy as np

Point = tuple[int, int]


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed outer outlines of a boolean (rows, columns) mask, in image coordinates.

    Each is a float32 array (points, 2) of (column, row) whose last point repeats the first. The
    corner of the first pixel is 0, 0 (PS3.3 C.18.6.1.2), so that the polygon encloses exactly the
    pixels of the mask. Pixels touching only at a corner belong to different outlines; outlines of
    holes are left out.
    """
    edges = _edges(mask)
    loops = []
    while edges:
        loop = _follow(edges)
        if _signed_area(loop) > 0:
            loops.append(np.array(loop, dtype=np.float32))
    return loops


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


def _follow(edges: dict[Point, list[Point]]) -> list[Point]:
    """Take one closed loop out of `edges`, keeping only the points where it turns."""
    start = next(iter(edges))
    loop, point, heading = [start], start, (0, 0)
    while True:
        nexts = edges[point]
        # Where two pixels touch at a corner two edges leave: turning right stays on this pixel.
        choice = max(range(len(nexts)), key=lambda i: _turn(heading, point, nexts[i]))
        after = nexts.pop(choice)
        if not nexts:
            del edges[point]
        step = (after[0] - point[0], after[1] - point[1])
        if step == heading:
            loop[-1] = after
        else:
            loop.append(after)
        point, heading = after, step
        if point == start:
            return loop


def _turn(heading: Point, point: Point, after: Point) -> int:
    """Positive for a right turn in image coordinates (rows downwards)."""
    step = (after[0] - point[0], after[1] - point[1])
    return heading[0] * step[1] - heading[1] * step[0]


def _signed_area(loop: list[Point]) -> float:
    x, y = np.array(loop, dtype=np.float64).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2
