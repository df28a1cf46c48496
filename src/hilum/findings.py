"""What a module reports. Writers turn a list of findings into DICOM objects."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.dicom import codes


@dataclass(frozen=True, eq=False)
class Segment:
    """A region: boolean `mask` (slices, rows, columns) on the grid of the series it was found in.

    `code` is the segmented property type (PS3.16 CID 7192 ff.), `modifier` narrows it (anterior),
    `side` is given only when known. `colour` is sRGB, 0-255.
    """

    mask: Volume
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: tuple[int, int, int] = (255, 200, 0)

    def __post_init__(self) -> None:
        if self.mask.array.ndim != 3 or self.mask.array.dtype != np.bool_:
            raise ValueError("a segment's mask is a boolean (slices, rows, columns) volume")

    @cached_property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.mask.array.sum() * self.mask.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000


@dataclass(frozen=True)
class Measurement:
    """A number with its unit (UCUM), of one segment or of the whole series.

    `uncertainty` is one standard deviation in the same unit, None where it was not estimated.
    """

    code: Code
    value: float
    unit: Code
    of: Segment | None = None
    uncertainty: float | None = None


@dataclass(frozen=True)
class Classification:
    """A named outcome with its score (0-1) and the scores of the alternatives."""

    code: Code
    label: str
    score: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Where the evidence lies: `values` 0-1 on the pixels of one instance, (rows, columns)."""

    values: np.ndarray
    label: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Refusal:
    """The module could not analyse the input. `code` is a short slug, `text` is for a clinician."""

    code: str
    text: str


@dataclass(frozen=True)
class Note:
    """A remark a reader must see beside the result, such as a low confidence and its reason."""

    text: str


Finding = Segment | Measurement | Classification | HeatMap | Refusal | Note


@dataclass(frozen=True)
class Findings:
    """All findings of one run, in the order the module gave them."""

    items: tuple[Finding, ...] = field(default=())

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(f for f in self.items if isinstance(f, Segment))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return tuple(f for f in self.items if isinstance(f, Measurement))

    @property
    def classifications(self) -> tuple[Classification, ...]:
        return tuple(f for f in self.items if isinstance(f, Classification))

    @property
    def heat_maps(self) -> tuple[HeatMap, ...]:
        return tuple(f for f in self.items if isinstance(f, HeatMap))

    @property
    def refusal(self) -> Refusal | None:
        return next((f for f in self.items if isinstance(f, Refusal)), None)

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(f for f in self.items if isinstance(f, Note))
