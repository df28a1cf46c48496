"""What a module reports. Whatever is wrong with a finding is told in the author's own line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hilum_module import codes
from hilum_module.codes import Code
from hilum_module.series import Volume


class FindingError(ValueError):
    """A finding cannot be written as it is; the text says what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that a module yields. Hilum judges each value once more."""


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
    colour: tuple[int, int, int] = (255, 200, 0)

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
    of: Segment | None = None
    uncertainty: float | None = None
    followed: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise FindingError(f"the value of a measurement is {self.value}, no finite number")


@dataclass(frozen=True, eq=False)
class Note(Finding):
    """A remark a reader must see. As a `caution` it says why to trust the result little."""

    text: str
    caution: bool = False


@dataclass(frozen=True, eq=False)
class Refusal(Finding):
    """Why the input could not be analysed: a short slug, and a clause for a clinician."""

    code: str
    text: str


@dataclass(frozen=True, eq=False)
class Findings:
    """What another module has found, in the order it gave it."""

    items: tuple[Finding, ...] = ()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its segments."""
        return tuple(one for one in self.items if isinstance(one, Segment))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Its measurements."""
        return tuple(one for one in self.items if isinstance(one, Measurement))


KINDS: dict[str, type[Finding]] = {
    kind.__name__: kind for kind in (Segment, Measurement, Note, Refusal)
}
ABOUT_AN_IMAGE = (Measurement, Note, Refusal)  # in Hilum; here they are about the whole input


def as_item(
    finding: Finding, before: list[Finding], arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """`finding`, which follows `before`, as JSON; its arrays are put into `arrays`."""
    index = len(before)
    item: dict[str, Any] = {"kind": type(finding).__name__}
    for field in fields(finding):
        value = getattr(finding, field.name)
        if isinstance(value, Volume):
            arrays[f"{index}.{field.name}"], arrays[f"{index}.box"] = _packed(value.array)
            arrays[f"{index}.affine"] = np.asarray(value.affine, float)
            item["frame_of_reference_uid"] = value.frame_of_reference_uid
        elif isinstance(value, Code):
            item[field.name] = {"code": list(value)}
        elif isinstance(value, Finding):
            item[field.name] = _place(value, before)
        else:
            item[field.name] = _plain(value)
    if isinstance(finding, ABOUT_AN_IMAGE):
        item["image"] = None
    return item


def from_items(
    items: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
) -> tuple[Finding, ...]:
    """What Hilum gives as JSON and arrays: findings of another module, of the kinds known here."""
    found: list[Finding] = []
    for index, item in enumerate(items):
        kind = KINDS[item["kind"]]
        values = {field.name: item.get(field.name) for field in fields(kind)}
        if kind is Segment:
            mask = _unpacked(arrays[f"{index}.mask"], arrays[f"{index}.box"])
            frame = item["frame_of_reference_uid"]
            values["mask"] = Volume(mask, arrays[f"{index}.affine"], frame)
            values["colour"] = tuple(item["colour"])
        of = values.get("of")
        if of is not None:
            values["of"] = found[of]
        found.append(kind(**{name: _decoded(value) for name, value in values.items()}))
    return tuple(found)


def _decoded(value: Any) -> Any:
    return Code(*value["code"]) if isinstance(value, dict) else value


def _place(finding: Finding, before: list[Finding]) -> int:
    for place, earlier in enumerate(before):
        if earlier is finding:
            return place
    raise FindingError("it is of a finding that was not yielded before it")


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)) and not value.ndim:
        return value.item()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _unpacked(bits: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The mask that was packed."""
    first, end, shape = box.tolist()
    size = [b - a for a, b in zip(first, end)]
    mask = np.zeros(shape, bool)
    sides = tuple(slice(a, b) for a, b in zip(first, end))
    mask[sides] = np.unpackbits(bits, count=int(np.prod(size))).reshape(size)
    return mask


def _packed(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the smallest box that holds all of `mask`; its first, end and whole size."""
    sides = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        sides.append((int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0))
    bits = np.packbits(mask[tuple(slice(*side) for side in sides)])
    box = [[first for first, _ in sides], [end for _, end in sides], mask.shape]
    return bits, np.array(box, np.int64)
