"""Views of the analysed images with the segments on them, magnified and rightly proportioned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import Volume
from PIL import Image, ImageFilter
from pydicom.sr.coding import Code

from hilum.dicom.series import Series
from hilum.findings import Structure
from hilum.objects.report.places import LEGEND, PlaneLocation, slices_of
from hilum.objects.report.window import header_window, window_of

# Array axes after reorientation point to the feet, to the back and to the left, so that every
# view shows the patient's right on its left side, or the front, as radiologists expect.
ORIENTATION = "FPL"
OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
OBLIQUE = 0.34  # a direction cosine above this (20 degrees) earns a second letter
DIRECTIONS = ("LR", "PA", "HF")  # positive and negative, of each axis of the patient (LPS)
VIEWS = ("Axial", "Coronal", "Sagittal")  # by the axis they are perpendicular to
MARGIN = 1.5  # of the structure's size
PLANE, STRIP = (392, 352), 8  # pixels (width, height), slices
SQUARE, WIDE = (144, 144), (296, 148)  # pixels, of a slice in the strip
WIDE_FROM = 1.5  # width of the structure by its height
LARGEST = {PLANE: 5.5, SQUARE: 4.0, WIDE: 4.0}  # pixels per mm
SCALE_BARS = (50, 20, 10, 5, 2, 1)  # mm
OUTLINE = 2.0  # pixels
TINT = 0.16

Size = tuple[int, int]


@dataclass(frozen=True)
class View:
    """The RGB `image` of one slice; `letters` stand left, right, top and bottom of it.

    `side` is that of everything that is seen, None if it is not known or there are several.
    `scale` is in pixels per mm.
    """

    plane: str
    side: Code | None
    place: PlaneLocation
    image: Image.Image
    letters: tuple[str, str, str, str]
    scale: float

    @property
    def name(self) -> str:
        """A sagittal view tells the side of what it shows, which its letters do not."""
        return f"{self.plane}, {self.side.meaning.lower()}" if self.side else self.plane

    @property
    def scale_bar(self) -> int:
        """The longest length, in mm, that is at most a quarter as wide as the image."""
        fitting = (mm for mm in SCALE_BARS if mm * self.scale <= self.image.width / 4)
        return next(fitting, SCALE_BARS[-1])


@dataclass(frozen=True)
class Views:
    """Three orthogonal `planes` through the structure and a `strip` of slices along it."""

    planes: tuple[View, ...]
    strip: tuple[View, ...]
    of_structure: bool
    window: str  # how its greys were chosen, in words

    @classmethod
    def of(
        cls, series: Series, segments: Sequence[Structure], analysed: Sequence[Series] = ()
    ) -> "Views":
        """The views of `series`, which is named where several were `analysed`."""
        scene = Scene.of(series, segments, slices_of(series, analysed))
        planes = (scene.view(axis, scene.through_structure(axis), PLANE) for axis in range(3))
        strip = tuple(scene.through(STRIP))
        is_stated = header_window(series) == scene.window
        window = "window of the header" if is_stated else "windowed to the images' own range"
        return cls(tuple(planes), strip, bool(segments), window)

    @property
    def caption(self) -> str:
        """What the strip shows, with the side if every view of it shows that side and no other."""
        first = self.strip[0]
        sides = {view.side for view in self.strip}
        shared = first.side if len(sides) == 1 else None
        side = f" on the {shared.meaning.lower()} side" if shared else ""
        what = "the structure" if self.of_structure else "the volume"
        numbered = ", numbered as the images are" if first.place.is_source else ""
        shown = f"{first.plane} slices through {what}{side}{numbered}"
        return f"{shown}; {self.window}. {LEGEND}"

    @property
    def rows(self) -> tuple[tuple[View, ...], ...]:
        """The strip in rows that are as wide as the planes together."""
        across = STRIP if self.strip[0].image.size == SQUARE else STRIP // 2
        starts = range(0, len(self.strip), across)
        return tuple(self.strip[start : start + across] for start in starts)


@dataclass(frozen=True)
class Scene:
    """The volume, reoriented, and the structures to draw on it, which lie as the source does.

    `turn` (3 x 3) holds 1 or -1 where an axis of the volume, down, is one of the source, across.
    `slices` holds the names of the source's slices along the axis they lie on, `sliced`; empty if
    they have none. `centre` holds the index of the middle of what matters along each axis,
    `occupied` all indices.
    """

    volume: Volume
    sliced: int
    slices: tuple[PlaneLocation, ...]
    turn: np.ndarray
    drawn: tuple[Structure, ...]
    union: np.ndarray
    centre: tuple[int, ...]
    occupied: tuple[np.ndarray, ...]
    window: tuple[float, float]

    @classmethod
    def of(
        cls, series: Series, segments: Sequence[Structure], slices: Sequence[PlaneLocation]
    ) -> "Scene":
        source = series.volume()
        volume = source.to_patient_orientation(ORIENTATION)
        cosines = volume.direction.T @ source.direction[:, 0]  # of each axis with the slices' own
        sliced = int(np.argmax(np.abs(cosines)))
        slices = slices[:: 1 if cosines[sliced] > 0 else -1]
        turn = np.rint(volume.direction.T @ source.direction).astype(int)
        drawn = tuple(_without_wholes(segments))
        union = np.zeros(source.array.shape, dtype=bool)
        for structure in drawn:
            union[structure.box] |= structure.inside(structure.box)
        union = turned(union, turn)
        window = window_of(series, volume.array)
        return cls(volume, sliced, tuple(slices), turn, drawn, union, *_middle(union), window)

    def view(self, axis: int, index: int, size: Size) -> View:
        """The slice `index` along `axis`, in an image of `size` (pixels, width and height)."""
        rows, columns = _others(axis)
        scale = self._scale(axis, size)
        box = _Box.around(self, rows, columns, scale, size)
        low, high = self.window
        # A view: np.take would copy the whole volume first.
        flat = self.volume.array.swapaxes(0, axis)[index]
        grey = box.sample(flat if axis < 2 else flat.T)
        rgb = np.repeat(np.clip((grey - low) / (high - low), 0, 1)[..., None], 3, axis=2)
        seen = []
        for structure in self.drawn:
            cut = self._cut(structure, axis, index)
            if cut is not None and cut.any():
                _draw(rgb, box.sample_smoothly(cut), structure.colour)
                seen.append(structure)
        image = Image.fromarray((rgb * 255 + 0.5).astype(np.uint8))
        letters, side = self._letters(rows, columns), _side(axis, seen)
        return View(VIEWS[axis], side, self.place(axis, index), image, letters, scale)

    def _cut(self, structure: Structure, axis: int, index: int) -> np.ndarray | None:
        """The voxels of `structure` in a slice of the volume; None where it has none for sure."""
        across = int(np.flatnonzero(self.turn[axis])[0])
        place = index if self.turn[axis, across] > 0 else structure.shape[across] - 1 - index
        if not structure.box[across].start <= place < structure.box[across].stop:
            return None
        part = [slice(None)] * 3
        part[across] = slice(place, place + 1)
        inside = structure.inside((part[0], part[1], part[2]))
        return np.asarray(turned(inside, self.turn).squeeze(axis))

    def place(self, axis: int, index: int) -> PlaneLocation:
        """The source's own slice where the plane is one, else where its middle lies."""
        if axis == self.sliced and self.slices:
            return self.slices[index]
        middle = np.array([*self.centre, 1.0])
        middle[axis] = index
        return PlaneLocation.at((self.volume.affine @ middle)[:3], self.volume.direction[:, axis])

    def extent(self, axis: int) -> float:
        """How far the part that matters extends along `axis`, in mm."""
        first, last = self.occupied[axis][[0, -1]]
        return float((last - first + 1) * self.volume.spacing[axis])

    def _scale(self, axis: int, size: Size) -> float:
        """Pixels per mm with which the structure fills much of the view; the image fills it."""
        height, width = (self.extent(a) for a in _others(axis))
        high, wide = (self.volume.shape[a] * self.volume.spacing[a] for a in _others(axis))
        largest = min(size[0] / width / MARGIN, size[1] / height / MARGIN, LARGEST[size])
        return float(max(largest, min(size[0] / wide, size[1] / high)))

    def through_structure(self, axis: int) -> int:
        """The middle slice along `axis`; the fullest where the middle of a pair shows nothing."""
        area = self.union.sum(axis=_others(axis))
        middle = self.centre[axis]
        return middle if area[middle] or not area.any() else int(area.argmax())

    def through(self, count: int) -> list[View]:
        """`count` slices at even distances along the longest extent of the structure.

        A pair is cut across its gap, so that every slice shows both.
        """
        lengths = [self.extent(axis) for axis in range(3)]
        whole = [indices.size == indices[-1] - indices[0] + 1 for indices in self.occupied]
        axis = int(np.argmax(np.where(whole, lengths, 0) if any(whole) else lengths))
        first, last = self.occupied[axis][[0, -1]]
        wanted = np.linspace(first, last, count + 2)[1:-1].round().astype(int)
        height, width = (lengths[a] for a in _others(axis))
        size = WIDE if width > WIDE_FROM * height else SQUARE
        return [self.view(axis, index, size) for index in sorted(set(wanted.tolist()))]

    def _letters(self, rows: int, columns: int) -> tuple[str, str, str, str]:
        right, bottom = (_direction(self.volume.direction[:, axis]) for axis in (columns, rows))
        left, top = ("".join(OPPOSITE[c] for c in letters) for letters in (right, bottom))
        return left, right, top, bottom


@dataclass(frozen=True)
class _Box:
    """Maps the pixels of a view to those of a slice: centre, and slice pixels per view pixel."""

    size: Size
    row: float
    column: float
    per_row: float
    per_column: float

    @classmethod
    def around(cls, scene: Scene, rows: int, columns: int, scale: float, size: Size) -> "_Box":
        """The structure in the middle, as far as the view then shows no outside of the image."""
        steps, middles = [], []
        for axis, pixels in ((rows, size[1]), (columns, size[0])):
            step = 1 / scale / scene.volume.spacing[axis]
            count, half = scene.volume.shape[axis], pixels * step / 2
            middle = (scene.occupied[axis][[0, -1]].sum() + 1) / 2
            inside = min(max(middle, half), count - half) if count > 2 * half else count / 2
            steps.append(step)
            middles.append(inside)
        return cls(size, *middles, *steps)

    def sample(self, flat: np.ndarray) -> np.ndarray:
        """`flat` (rows, columns), bicubic; outside lies the smallest value."""
        floor = float(flat.min())
        return self._transform(Image.fromarray((flat - floor).astype(np.float32))) + floor

    def sample_smoothly(self, mask: np.ndarray) -> np.ndarray:
        """How far inside `mask` each pixel lies, 0-1; the half line is its outline."""
        grey = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(0.7))
        return self._transform(Image.fromarray(np.asarray(grey, dtype=np.float32) / 255))

    def _transform(self, image: Image.Image) -> np.ndarray:
        width, height = self.size
        coefficients = (
            self.per_column,
            0,
            self.column - width / 2 * self.per_column,
            0,
            self.per_row,
            self.row - height / 2 * self.per_row,
        )
        method, bicubic = Image.Transform.AFFINE, Image.Resampling.BICUBIC
        return np.asarray(image.transform(self.size, method, coefficients, bicubic))


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


def turned(array: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """`array` with its axes in the order and direction that `turn` says (see `Scene`)."""
    order = np.abs(turn).argmax(axis=1)
    forwards = turn[np.arange(3), order] > 0
    steps = tuple(slice(None, None, 1 if forward else -1) for forward in forwards)
    return np.asarray(array.transpose(order)[steps])


def _without_wholes(structures: Sequence[Structure]) -> list[Structure]:
    """Leave out a structure that is the union of others: its outline would hide theirs."""
    return [each for each in structures if not _is_union(each, structures)]


def _is_union(whole: Structure, structures: Sequence[Structure]) -> bool:
    """Whether smaller ones among `structures`, which lie within `whole`, fill it together."""
    smaller = (s for s in structures if s.voxels < whole.voxels and not s.is_apart(whole))
    parts = [part for part in smaller if _lies_within(part, whole)]
    if sum(part.voxels for part in parts) < whole.voxels:
        return False
    firsts = [side.start for side in whole.box]
    union = np.zeros([side.stop - side.start for side in whole.box], bool)
    for part in parts:
        sides = zip(part.box, firsts, strict=True)
        union[tuple(slice(s.start - first, s.stop - first) for s, first in sides)] |= part.inside(
            part.box
        )
    return int(union.sum()) == whole.voxels


def _lies_within(part: Structure, whole: Structure) -> bool:
    sides = zip(part.box, whole.box, strict=True)
    if not all(w.start <= p.start and p.stop <= w.stop for p, w in sides):
        return False
    return not (part.inside(part.box) & ~whole.inside(part.box)).any()


def _middle(union: np.ndarray) -> tuple[tuple[int, ...], tuple[np.ndarray, ...]]:
    """Indices of the middle of `union` (of the volume if empty), and all along each axis."""
    region = union if union.any() else np.ones_like(union)
    weights = [region.sum(axis=_others(axis)) for axis in range(region.ndim)]
    centre = (round(float(np.average(np.arange(w.size), weights=w))) for w in weights)
    return tuple(centre), tuple(np.flatnonzero(weight) for weight in weights)


def _side(axis: int, seen: Sequence[Structure]) -> Code | None:
    """The side of everything that a sagittal plane shows; other planes show both sides."""
    sides = {segment.side for segment in seen}
    return sides.pop() if len(sides) == 1 and VIEWS[axis] == "Sagittal" else None


def _others(axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(3) if a != axis)


def _direction(cosines: np.ndarray) -> str:
    """Letters of an LPS direction, the strongest first; oblique ones have several."""
    order = np.argsort(-np.abs(cosines), kind="stable")
    strong = [i for n, i in enumerate(order) if n == 0 or abs(cosines[i]) > OBLIQUE]
    return "".join(DIRECTIONS[i][0 if cosines[i] > 0 else 1] for i in strong)
