"""Line integrals through simple solids: what an X-ray beam meets on its way.

Patient coordinates are LPS millimetres: x to the left, y to the back, z upwards. The beam is
parallel, and `Projection.angle` turns the patient about z. A ray is named by where it meets the
detector, (t, z), and runs along s. At angle 0 it runs along y, t = x and s = y.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import irfft2, rfft2

Interval = tuple[np.ndarray, np.ndarray]  # where each ray enters and leaves; equal where it misses


def interpolated(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Smooth and monotone between the rows of `table`; its first column says where they are."""
    from scipy.interpolate import PchipInterpolator  # half a second, and most never draw a film

    table = table[np.argsort(table[:, 0])]
    curve = PchipInterpolator(table[:, 0], table[:, 1:])
    return np.asarray(curve(at), np.float32)


def _turn(degrees: float) -> tuple[float, float]:
    """Sine and cosine, as Python's floats: numpy's would make every array twice as wide."""
    return math.sin(math.radians(degrees)), math.cos(math.radians(degrees))


@dataclass(frozen=True)
class Projection:
    """A detector of `size` x `size` mm with square pixels of `pitch` mm, and the patient's turn."""

    pitch: float
    size: float = 430.0
    angle: float = 0.0  # degrees
    part: tuple[slice, slice] = (slice(None), slice(None))  # rows and columns looked at

    @property
    def count(self) -> int:
        """Rows and columns."""
        return round(self.size / self.pitch)

    @property
    def t(self) -> np.ndarray:
        """mm, (1, columns), to the patient's left at angle 0."""
        return self._places()[None, self.part[1]]

    @property
    def z(self) -> np.ndarray:
        """mm, (rows, 1), the top first."""
        return -self._places()[self.part[0], None]

    def _places(self) -> np.ndarray:
        places = (np.arange(self.count) + 0.5) * self.pitch - self.size / 2
        return places.astype(np.float32)

    def around(self, centre: tuple[float, float, float], radius: float) -> "Projection":
        """The part of this view that shows the ball at `centre`."""
        x, y, z = (np.array(value) for value in centre)
        t, _ = self.turned(x, y)
        first, last = (
            np.clip((np.array((-z, t)) + self.size / 2 + side) / self.pitch, 0, self.count)
            for side in (-radius, radius)
        )
        top, left, bottom, right = (int(end) for end in (*np.floor(first), *np.ceil(last)))
        return replace(self, part=(slice(top, bottom), slice(left, right)))

    def turned(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(t, s) of points of the patient."""
        sine, cosine = _turn(self.angle)
        return x * cosine + y * sine, y * cosine - x * sine


@dataclass(frozen=True)
class EllipseStack:
    """Ellipses stacked along z: control points (z, centre x, centre y, half width, half depth)."""

    points: Sequence[tuple[float, float, float, float, float]]

    def interval(self, view: Projection) -> Interval:
        table = np.array(sorted(self.points))
        z = view.z[:, 0].clip(table[0, 0], table[-1, 0])
        x, y, a, b = interpolated(table, z).T[:, :, None]
        inside = (view.z >= table[0, 0]) & (view.z <= table[-1, 0])
        return _crossed(view, x, y, a, b, inside)


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and radii (x, y, z), then tilted in the frontal plane (degrees, its left side down).

    `cylinder` continues the widest section downwards, as a dome stands on what is below it.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    tilt: float = 0.0
    cylinder: bool = False

    def interval(self, view: Projection) -> Interval:
        (x, y, z), (a, b, c) = self.centre, self.radii
        sine, cosine = _turn(self.tilt)
        # x'^2 / a^2 + z'^2 / c^2 with (x', z') turned: p x^2 + 2 q x z + r z^2
        p = (cosine / a) ** 2 + (sine / c) ** 2
        q = -sine * cosine * (1 / a**2 - 1 / c**2)
        r = (sine / a) ** 2 + (cosine / c) ** 2
        dz = view.z - z
        if self.cylinder:
            dz = dz.clip(0)
        rest = 1 - (r - q * q / p) * dz**2  # what the section at this height has left
        scale = np.sqrt(rest.clip(0))
        return _crossed(view, x - q / p * dz, y + 0 * dz, scale / np.sqrt(p), scale * b, rest > 0)


Solid = EllipseStack | Ellipsoid


def _crossed(
    view: Projection, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, inside: np.ndarray
) -> Interval:
    """Rays through one ellipse for each row; all arguments are (rows, 1)."""
    t, s = view.turned(x, y)
    sine, cosine = _turn(view.angle)
    a, b = np.maximum(a, 1e-3) ** -2, np.maximum(b, 1e-3) ** -2
    across, along = a * cosine**2 + b * sine**2, a * sine**2 + b * cosine**2
    mixed = (b - a) * sine * cosine
    u = (view.t - t).astype(np.float32)
    root = (mixed * u) ** 2 - along * (across * u**2 - 1)
    half = np.sqrt(root.clip(0)) * inside / along
    middle = s - mixed * u / along
    return (middle - half).astype(np.float32), (middle + half).astype(np.float32)


def length(interval: Interval) -> np.ndarray:
    return interval[1] - interval[0]


def covered(intervals: Iterable[Interval], within: Interval | None = None) -> np.ndarray:
    """How much of each ray lies in any of the intervals (and `within` one more).

    Sorted by themselves, the i-th end lies before the next start just where the ray is in none.
    """
    starts, ends = (np.stack(side, axis=-1) for side in zip(*intervals, strict=True))
    if within is not None:
        low, high = (side[..., None] for side in within)
        starts, ends = np.clip(starts, low, high), np.clip(ends, low, high)
    starts.sort(axis=-1)
    ends.sort(axis=-1)
    gaps = (starts[..., 1:] - ends[..., :-1]).clip(0).sum(axis=-1)
    return np.asarray(ends[..., -1] - starts[..., 0] - gaps)


@dataclass(frozen=True)
class Tube:
    """A bent rod: points (n, 3) in mm, radius across the film and along z; ends are round.

    Drawn as discs in a row: the chords of a uniform disc moved along a line are those of a rod,
    and a rod seen end on is as dense as it is long.
    """

    points: np.ndarray
    radius: float
    height: float | None = None

    def samples(self, step: float) -> np.ndarray:
        """Points at most `step` mm apart, (m, 3)."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        at = np.concatenate([[0], np.cumsum(steps)])
        wanted = np.linspace(0, at[-1], max(2, int(np.ceil(at[-1] / step)) + 1))
        return np.stack([np.interp(wanted, at, part) for part in self.points.T], axis=1)


def rods(tubes: Iterable[Tube], view: Projection) -> np.ndarray:
    """Length of rod along each ray, rods that cross counted twice; float32 (rows, columns)."""
    kinds: dict[tuple[float, float], list[Tube]] = {}
    for tube in tubes:
        kinds.setdefault((tube.radius, tube.height or tube.radius), []).append(tube)
    size = view.count + round(60 / view.pitch)  # room for what reaches past the edge
    spectrum: np.ndarray | None = None
    for (radius, height), alike in kinds.items():
        lines = _lines(alike, view, min(radius, 2 * view.pitch), size)
        part = rfft2(lines, workers=2) * rfft2(_disc(radius, height, view, size), workers=2)
        spectrum = part if spectrum is None else spectrum + part
    if spectrum is None:
        return np.zeros((view.count, view.count), np.float32)
    whole = irfft2(spectrum, s=(size, size), workers=2)
    return np.asarray(whole[: view.count, : view.count].clip(0), np.float32)


def _lines(tubes: Iterable[Tube], view: Projection, step: float, size: int) -> np.ndarray:
    """mm of centre line per mm2 of detector."""
    pieces = [tube.samples(step) for tube in tubes]
    points = np.concatenate([(piece[1:] + piece[:-1]) / 2 for piece in pieces])
    weight = np.concatenate([np.linalg.norm(np.diff(piece, axis=0), axis=1) for piece in pieces])
    t, _ = view.turned(points[:, 0], points[:, 1])
    columns = (t + view.size / 2) / view.pitch - 0.5
    rows = (view.size / 2 - points[:, 2]) / view.pitch - 0.5
    image = np.zeros(size * size)
    for row, column, share in _shares(rows, columns):
        seen = (row >= 0) & (row < view.count) & (column >= 0) & (column < view.count)
        index = (row * size + column)[seen]
        image += np.bincount(index, (weight * share)[seen], size * size)
    return np.asarray(image.reshape(size, size) / view.pitch**2, np.float32)


def _shares(
    rows: np.ndarray, columns: np.ndarray
) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The four pixels around each point and what each gets of it."""
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    down, right = rows - top, columns - left
    for i, vertical in ((0, 1 - down), (1, down)):
        for j, horizontal in ((0, 1 - right), (1, right)):
            yield top + i, left + j, vertical * horizontal


def _disc(radius: float, height: float, view: Projection, size: int) -> np.ndarray:
    """An elliptical disc of value 1 around pixel (0, 0) of a torus, its edge soft."""
    reach = int(max(radius, height) / view.pitch) + 2
    offset = np.arange(-reach, reach + 1)
    away = np.hypot(offset / radius, offset[:, None] / height) * view.pitch
    disc = np.clip((1 - away) * min(radius, height) / view.pitch + 0.5, 0, 1)
    torus = np.zeros((size, size), np.float32)
    torus[np.ix_(offset, offset)] = disc * (np.pi * radius * height / disc.sum())
    return torus
