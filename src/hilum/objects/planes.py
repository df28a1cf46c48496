"""Views of the analysed images with the segments on them, magnified and rightly proportioned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import Volume
from PIL import Image, ImageFilter

from hilum.findings import Segment

# Array axes after reorientation point to the feet, to the back and to the left, so that every
# view shows the patient's right on its left side, or the front, as radiologists expect.
ORIENTATION = "FPL"
OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
OBLIQUE = 0.34  # a direction cosine above this (20 degrees) earns a second letter
VIEWS = ("Axial", "Coronal", "Sagittal")  # by the axis they are perpendicular to
MARGIN = 1.5  # of the structure's size
SMALLEST_FIELD = 60.0  # mm
PLANE_SIDE, STRIP_SIDE, STRIP = 392, 144, 8  # pixels, pixels, slices
OUTLINE = 2.0  # pixels
TINT = 0.16


@dataclass(frozen=True)
class View:
    """A square RGB `image` of one slice; `letters` stand left, right, top and bottom of it."""

    name: str
    image: Image.Image
    letters: tuple[str, str, str, str]
    slice_number: int
    slices: int


@dataclass(frozen=True)
class Views:
    """Three orthogonal `planes` through the structure and a `strip` of slices along it."""

    planes: tuple[View, ...]
    strip: tuple[View, ...]

    @classmethod
    def of(cls, volume: Volume, segments: Sequence[Segment]) -> "Views":
        scene = Scene.of(volume, segments)
        planes = (scene.view(axis, scene.centre[axis], PLANE_SIDE) for axis in range(3))
        return cls(tuple(planes), tuple(scene.through(STRIP, STRIP_SIDE)))


@dataclass(frozen=True)
class Scene:
    """The volume and the segments to draw, reoriented; `centre` (indices) is what matters."""

    volume: Volume
    segments: tuple[tuple[np.ndarray, tuple[int, int, int]], ...]
    union: np.ndarray
    centre: tuple[int, int, int]
    field: float
    window: tuple[float, float]

    @classmethod
    def of(cls, volume: Volume, segments: Sequence[Segment]) -> "Scene":
        volume = volume.to_patient_orientation(ORIENTATION)
        drawn = [
            (s.mask.to_patient_orientation(ORIENTATION).array, s.colour)
            for s in _without_wholes(segments)
        ]
        union = np.zeros(volume.array.shape, dtype=bool)
        for mask, _ in drawn:
            union |= mask
        centre, size = _centre_and_size(union, volume)
        low, high = np.percentile(volume.array, (1, 99.7))
        field = max(size * MARGIN, SMALLEST_FIELD)
        window = (float(low), float(max(high, low + 1)))
        return cls(volume, tuple(drawn), union, centre, field, window)

    def view(self, axis: int, index: int, side: int, field: float | None = None) -> View:
        """The slice `index` along `axis`, `side` pixels wide and high."""
        rows, columns = (a for a in range(3) if a != axis)
        field = field or self.field
        box = _Box.around(self, rows, columns, field, side)
        low, high = self.window
        grey = box.sample(np.take(self.volume.array, index, axis))
        rgb = np.repeat(np.clip((grey - low) / (high - low), 0, 1)[..., None], 3, axis=2)
        for mask, colour in self.segments:
            flat = np.take(mask, index, axis)
            if flat.any():
                _draw(rgb, box.sample_smoothly(flat), colour)
        image = Image.fromarray((rgb * 255 + 0.5).astype(np.uint8))
        return View(
            VIEWS[axis], image, self._letters(rows, columns), index + 1, self.volume.shape[axis]
        )

    def through(self, count: int, side: int) -> list[View]:
        """`count` slices at even distances along the longest extent of the structure."""
        extents = [np.flatnonzero(self.union.any(axis=_others(a))) for a in range(3)]
        if not self.union.any():
            extents = [np.arange(size) for size in self.union.shape]
        lengths = [
            (e[-1] - e[0] + 1) * s for e, s in zip(extents, self.volume.spacing, strict=True)
        ]
        axis = int(np.argmax(lengths))
        first, last = extents[axis][[0, -1]]
        wanted = np.linspace(first, last, count + 2)[1:-1].round().astype(int)
        indices = sorted(set(wanted.tolist()))
        across = max(length for a, length in enumerate(lengths) if a != axis)
        field = max(across * MARGIN, SMALLEST_FIELD * 0.6)
        return [self.view(axis, index, side, field) for index in indices]

    def _letters(self, rows: int, columns: int) -> tuple[str, str, str, str]:
        right, bottom = (_direction(self.volume.direction[:, axis]) for axis in (columns, rows))
        left, top = ("".join(OPPOSITE[c] for c in letters) for letters in (right, bottom))
        return left, right, top, bottom


@dataclass(frozen=True)
class _Box:
    """Maps the pixels of a view to those of a slice: centre, and slice pixels per view pixel."""

    side: int
    row: float
    column: float
    per_row: float
    per_column: float

    @classmethod
    def around(cls, scene: Scene, rows: int, columns: int, field: float, side: int) -> "_Box":
        spacing = scene.volume.spacing
        step = field / side
        return cls(
            side,
            scene.centre[rows] + 0.5,
            scene.centre[columns] + 0.5,
            step / spacing[rows],
            step / spacing[columns],
        )

    def sample(self, flat: np.ndarray) -> np.ndarray:
        """`flat` (rows, columns), bicubic; outside lies the smallest value."""
        floor = float(flat.min())
        return self._transform(Image.fromarray((flat - floor).astype(np.float32))) + floor

    def sample_smoothly(self, mask: np.ndarray) -> np.ndarray:
        """How far inside `mask` each pixel lies, 0-1; the half line is its outline."""
        grey = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(0.7))
        return self._transform(Image.fromarray(np.asarray(grey, dtype=np.float32) / 255))

    def _transform(self, image: Image.Image) -> np.ndarray:
        half = self.side / 2
        coefficients = (
            self.per_column,
            0,
            self.column - half * self.per_column,
            0,
            self.per_row,
            self.row - half * self.per_row,
        )
        size = (self.side, self.side)
        method, bicubic = Image.Transform.AFFINE, Image.Resampling.BICUBIC
        return np.asarray(image.transform(size, method, coefficients, bicubic))


def _draw(rgb: np.ndarray, inside: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Tint the structure lightly and draw its outline, smooth whatever the magnification."""
    fill = TINT * np.clip((inside - 0.5) / _slope(inside) + 0.5, 0, 1)
    alpha = np.maximum(line_along(inside, OUTLINE), fill)[..., None]
    rgb *= 1 - alpha
    rgb += alpha * (np.array(colour, dtype=np.float32) / 255)


def line_along(inside: np.ndarray, width: float) -> np.ndarray:
    """Opacity, 0-1, of a line of `width` pixels where `inside`, 0-1, crosses one half."""
    return np.asarray(np.clip(width / 2 + 0.5 - np.abs(inside - 0.5) / _slope(inside), 0, 1))


def _slope(inside: np.ndarray) -> np.ndarray:
    down, across = np.gradient(inside)
    return np.asarray(np.maximum(np.hypot(down, across), 1e-3))


def _without_wholes(segments: Sequence[Segment]) -> list[Segment]:
    """Leave out a segment that is the union of others: its outline would hide theirs."""
    kept = []
    for segment in segments:
        parts = [
            other.mask.array
            for other in segments
            if other is not segment and not (other.mask.array & ~segment.mask.array).any()
        ]
        smaller = [part for part in parts if part.sum() < segment.mask.array.sum()]
        if not smaller or not np.array_equal(np.logical_or.reduce(smaller), segment.mask.array):
            kept.append(segment)
    return kept


def _centre_and_size(union: np.ndarray, volume: Volume) -> tuple[tuple[int, int, int], float]:
    """Index of the middle of `union` (of the volume if empty) and its largest extent in mm."""
    region = union if union.any() else np.ones_like(union)
    centre, sizes = [], []
    for axis, spacing in enumerate(volume.spacing):
        occupied = np.flatnonzero(region.any(axis=_others(axis)))
        weights = region.sum(axis=_others(axis))
        centre.append(round(float(np.average(np.arange(weights.size), weights=weights))))
        sizes.append(float((occupied[-1] - occupied[0] + 1) * spacing))
    return (centre[0], centre[1], centre[2]), max(sizes)


def _others(axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(3) if a != axis)


def _direction(cosines: np.ndarray) -> str:
    """Letters of an LPS direction, the strongest first; oblique ones have several."""
    names = ("LR", "PA", "HF")
    order = np.argsort(-np.abs(cosines), kind="stable")
    strong = [i for n, i in enumerate(order) if n == 0 or abs(cosines[i]) > OBLIQUE]
    return "".join(names[i][0 if cosines[i] > 0 else 1] for i in strong)
