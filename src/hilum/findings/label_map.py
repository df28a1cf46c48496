"""Many structures that share no voxel, in one array of integers."""

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum import checks
from hilum.dicom import codes
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.findings.structure import NOWHERE, GridBox, Structure
from hilum.summary.numbers import SegmentSummary
from hilum.wording import counted

GOLDEN = 0.618034  # of a turn of the colour circle: neighbours in the table look different


@dataclass(frozen=True)
class Label:
    """One line of the table of a `LabelMap`: what the voxels of one `value` are.

    The fields are those of a `Segment`. Without a `colour` the structure gets one of its own.
    """

    value: int
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        label = checks.label("the label of a structure", self.label)
        what = f"of the structure {label!r}"
        settle(
            self,
            value=checks.label_value(f"the value {what}", self.value),
            label=label,
            code=checks.code(f"the code {what}", self.code),
            modifier=checks.code_if_any(f"the modifier {what}", self.modifier),
            side=checks.side(f"the side {what}", self.side, label),
            category=checks.code(f"the category {what}", self.category),
        )
        if self.colour is not None:
            settle(self, colour=checks.colour(f"the colour {what}", self.colour))

    @property
    def shown_colour(self) -> tuple[int, int, int]:
        """The colour it is drawn in: the given one, else one that follows from the value."""
        if self.colour is not None:
            return self.colour
        lightness = 0.55 + 0.12 * (self.value % 3 - 1)
        shares = colorsys.hls_to_rgb(self.value * GOLDEN % 1, lightness, 0.85)
        red, green, blue = (round(255 * share) for share in shares)
        return red, green, blue


@dataclass(frozen=True, eq=False)
class LabelMap(Finding):
    """Structures in one array: integer `labels` (slices, rows, columns) on the grid of the series.

    Each value but 0 stands in the `table`. A line of the table that no voxel has is a structure
    that was looked for and not found: its volume is 0. The voxels are kept as uint8 or uint16.

    Raises `FindingError` for another type of array, and for values that the table does not name or
    names twice.
    """

    labels: Volume
    table: tuple[Label, ...]

    def __post_init__(self) -> None:
        settle(self, labels=checks.label_volume("the label map", self.labels))
        settle(self, table=_table(self.table))
        known = np.zeros(self._counts.shape[1], bool)
        known[0] = True
        known[[label.value for label in self.table if label.value < known.size]] = True
        unknown = np.flatnonzero(self._counts.any(0) & ~known).tolist()
        if unknown:
            shown = ", ".join(map(str, unknown[:5]))
            raise FindingError(
                f"the label map holds {counted(len(unknown), 'value')} that its table does not name"
                f" ({shown}): add a Label for each, or set these voxels to 0"
            )
        for structure in self.segments:
            checks.label("the label of a structure, with its side,", structure.name)

    @cached_property
    def segments(self) -> tuple["LabelledSegment", ...]:
        """The structures in the order of the table; measurements can be of each."""
        return tuple(LabelledSegment.of(self, label) for label in self.table)

    def segment(self, value: int) -> "LabelledSegment":
        """The structure whose voxels have `value`; `KeyError` if the table does not name it."""
        for structure in self.segments:
            if structure.value == value:
                return structure
        raise KeyError(value)

    def parts(self) -> tuple[Finding, ...]:
        return self.segments

    def summary(self) -> SegmentSummary:
        """All structures together; each has a summary of its own, with its volume."""
        voxels = int(self._counts[:, 1:].sum())
        return SegmentSummary(counted(len(self.table), "structure"), voxels)

    def texts(self) -> Iterable[str]:
        return (structure.name for structure in self.segments)

    def codes(self) -> Iterable[Code]:
        return (code for structure in self.segments for code in structure.codes())

    @cached_property
    def _counts(self) -> np.ndarray:
        """Voxels of each value in each slice, (slices, values): one pass over the map."""
        array = self.labels.array
        most = max(int(array.max(initial=0)), 0)
        rows = [np.bincount(plane.ravel(), minlength=most + 1) for plane in array]
        return np.array(rows, dtype=np.int64).reshape(len(rows), most + 1)

    @cached_property
    def _boxes(self) -> list[GridBox | None]:
        """The box of each value from 1 on."""
        # Here, because processes that only read records import this package.
        from scipy.ndimage import find_objects

        return list(find_objects(self.labels.array))


@dataclass(frozen=True, eq=False)
class LabelledSegment(Structure, is_kept=False):
    """One structure of a label map. A `LabelMap` makes it; no module does."""

    within: LabelMap
    value: int
    code: Code
    label: str
    modifier: Code | None
    side: Code | None
    category: Code
    colour: tuple[int, int, int]

    @classmethod
    def of(cls, within: LabelMap, line: Label) -> "LabelledSegment":
        """The structure that `line` of the table of `within` names."""
        given = (line.value, line.code, line.label, line.modifier, line.side, line.category)
        return cls(within, *given, line.shown_colour)

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, rows, columns = self.within.labels.array.shape
        return slices, rows, columns

    @property
    def voxel_volume(self) -> float:
        return float(self.within.labels.voxel_volume)

    @property
    def box(self) -> GridBox:
        boxes = self.within._boxes
        return (boxes[self.value - 1] if self.value <= len(boxes) else None) or NOWHERE

    @property
    def areas(self) -> np.ndarray:
        counts = self.within._counts
        if self.value >= counts.shape[1]:
            return np.zeros(len(counts), np.int64)
        return np.asarray(counts[:, self.value])

    def inside(self, part: GridBox) -> np.ndarray:
        return np.asarray(self.within.labels.array[part] == self.value)

    def is_apart(self, other: Structure) -> bool:
        return isinstance(other, LabelledSegment) and other.within is self.within


def _table(given: object) -> tuple[Label, ...]:
    """The lines of a table, each of another value; `FindingError` where they are none."""
    if not isinstance(given, tuple | list) or not all(isinstance(line, Label) for line in given):
        raise FindingError("the table of the label map is not a tuple of Label")
    values = [line.value for line in given]
    if not values:
        raise FindingError("the table of the label map is empty")
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise FindingError(f"the table of the label map names the value {twice[0]} twice")
    return tuple(given)
