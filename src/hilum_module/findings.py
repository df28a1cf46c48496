"""What a module reports. Whatever is wrong with a finding is told in the author's own line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum_module import codes
from hilum_module.codes import Code
from hilum_module.volume import Volume

Place = tuple[float, ...]  # (x, y, z) in mm (LPS), or with an image (column, row) on it
Colour = tuple[int, int, int]  # sRGB, 0-255
YELLOW = (255, 200, 0)


class FindingError(ValueError):
    """A finding cannot be written as it is; the text says what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that a module yields. Hilum judges each value once more.

    One that is about an image names it in `image`, by one of `Series.images`.
    """

    def parts(self) -> tuple[Finding, ...]:
        """The findings it is made of, which measurements can be of."""
        return ()


@dataclass(frozen=True, eq=False)
class Segment(Finding):
    """A region: boolean `mask` (slices, rows, columns) on the grid of the first input.

    `code` is the segmented property type (PS3.16 CID 7192 ff.). `colour` is sRGB, 0-255.
    """

    mask: Volume
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: Colour = YELLOW

    def __post_init__(self) -> None:
        if not isinstance(self.mask, Volume) or self.mask.array.dtype != np.bool_:
            raise FindingError(
                "the mask of a segment is no boolean volume: series.volume().with_array(mask)"
            )

    @property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.mask.array.sum() * self.mask.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000


@dataclass(frozen=True, eq=False)
class Measurement(Finding):
    """A number with its unit (UCUM), of one segment or of the whole input.

    `uncertainty` is one standard deviation in the same unit. One that is `followed` is compared
    with those of earlier exams.
    """

    code: Code
    value: float
    unit: Code
    of: Segment | LabelledSegment | None = None
    uncertainty: float | None = None
    image: str | None = None
    followed: bool = False

    def __post_init__(self) -> None:
        try:
            is_finite = math.isfinite(self.value)
        except (TypeError, ValueError):
            kind = type(self.value).__name__
            raise FindingError(f"the value of a measurement is a {kind}, no number") from None
        if not is_finite:
            raise FindingError(f"the value of a measurement is {self.value}, no finite number")


@dataclass(frozen=True, eq=False)
class Note(Finding):
    """A remark a reader must see. As a `caution` it says why to trust the result little."""

    text: str
    image: str | None = None
    caution: bool = False


@dataclass(frozen=True, eq=False)
class Refusal(Finding):
    """Why the input could not be analysed: a short slug, and a clause for a clinician."""

    code: str
    text: str
    image: str | None = None


@dataclass(frozen=True)
class Label:
    """One line of the table of a `LabelMap`: what the voxels of one `value` are."""

    value: int
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: Colour | None = None


@dataclass(frozen=True, eq=False)
class LabelMap(Finding):
    """Many structures that share no voxel: integer `labels` on the grid of the first input.

    Each value but 0 stands in the `table`.
    """

    labels: Volume
    table: tuple[Label, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.labels, Volume) or self.labels.array.dtype.kind not in "iu":
            raise FindingError(
                "the label map is no integer volume: series.volume().with_array(labels)"
            )

    @cached_property
    def segments(self) -> tuple[LabelledSegment, ...]:
        """The structures in the order of the table."""
        return tuple(LabelledSegment(self, line.value, line.label) for line in self.table)

    def segment(self, value: int) -> LabelledSegment:
        """The structure whose voxels have `value`; `KeyError` if the table does not name it."""
        for segment in self.segments:
            if segment.value == value:
                return segment
        raise KeyError(value)

    def parts(self) -> tuple[Finding, ...]:
        return self.segments

    @cached_property
    def _counts(self) -> Counter[int]:
        """Voxels of each value: one pass over the map, however many structures it has."""
        counts: Counter[int] = Counter()
        for plane in self.labels.array:
            values, voxels = np.unique(plane, return_counts=True)
            counts.update(dict(zip(values.tolist(), voxels.tolist())))
        return counts


@dataclass(frozen=True, eq=False)
class LabelledSegment(Finding):
    """One structure of a label map. A `LabelMap` makes it; no module does."""

    within: LabelMap
    value: int
    label: str

    @property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.within._counts[self.value] * self.within.labels.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000


@dataclass(frozen=True, eq=False)
class ParametricMap(Finding):
    """A number at every voxel of the first input: finite `values` of a `quantity` in `unit`."""

    values: Volume
    quantity: Code
    unit: Code
    label: str

    def __post_init__(self) -> None:
        if not isinstance(self.values, Volume) or not np.isfinite(self.values.array).all():
            raise FindingError(
                "the values of a map are no volume of finite numbers:"
                " series.volume().with_array(values)"
            )


@dataclass(frozen=True, eq=False)
class Point(Finding):
    """A place in the volume, or on an `image`; `code` is what lies there."""

    position: Place
    code: Code
    label: str
    image: str | None = None
    colour: Colour = YELLOW


@dataclass(frozen=True, eq=False)
class Box(Finding):
    """A box around what `code` says, by two opposite `corners`."""

    corners: tuple[Place, ...]
    code: Code
    label: str
    image: str | None = None
    colour: Colour = YELLOW


@dataclass(frozen=True, eq=False)
class Length(Finding):
    """A line between two `points`; on an image its `millimetres` must be given."""

    points: tuple[Place, ...]
    label: str
    millimetres: float | None = None
    code: Code = codes.LENGTH
    image: str | None = None
    colour: Colour = YELLOW


@dataclass(frozen=True, eq=False)
class Angle(Finding):
    """An angle: three `points` whose second one is the apex, or four, two for each line."""

    points: tuple[Place, ...]
    label: str
    degrees: float | None = None
    code: Code = codes.ANGLE
    image: str | None = None
    colour: Colour = YELLOW


@dataclass(frozen=True, eq=False)
class Table(Finding):
    """A title, the names of at most 8 columns, and at most 200 rows of texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    image: str | None = None


@dataclass(frozen=True)
class Curve:
    """One line of a `Plot`: 2 to 200 points, in the order in which they are joined."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: Colour | None = None


@dataclass(frozen=True, eq=False)
class Plot(Finding):
    """At most 8 curves on common axes; `across` and `up` say what these are, with their units."""

    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    image: str | None = None


@dataclass(frozen=True, eq=False)
class KeyImage(Finding):
    """An image of the input to look at, and why."""

    image: str
    text: str


@dataclass(frozen=True, eq=False)
class Draft(Finding):
    """Free text, marked as a draft wherever it stands."""

    text: str
    section: str = ""
    image: str | None = None


@dataclass(frozen=True, eq=False)
class Urgency(Finding):
    """Why somebody should look at this study at once, a clause."""

    text: str


@dataclass(frozen=True, eq=False)
class Drawing(Finding):
    """A picture of the module's own: uint8, (rows, columns) or (rows, columns, 3)."""

    pixels: np.ndarray
    label: str
    image: str | None = None


@dataclass(frozen=True, eq=False)
class OwnObject(Finding):
    """A DICOM object that the module wrote: `content` is its file (PS3.10), uint8, of one axis."""

    content: np.ndarray


@dataclass(frozen=True, eq=False)
class Findings:
    """What another module has found, in the order it gave it."""

    items: tuple[Finding, ...] = ()

    @property
    def segments(self) -> tuple[Segment | LabelledSegment, ...]:
        """Its structures: segments, and those of label maps."""
        kinds = (Segment, LabelledSegment)
        return tuple(one for one in with_parts(self.items) if isinstance(one, kinds))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Its measurements."""
        return tuple(one for one in self.items if isinstance(one, Measurement))


def with_parts(findings: Iterable[Finding]) -> list[Finding]:
    """`findings`, each followed by its parts."""
    return [each for finding in findings for each in (finding, *finding.parts())]
