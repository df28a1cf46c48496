"""A finding as JSON and arrays, by its fields, as `hilum.engine.storing` writes and reads them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np

from hilum_module.classification import Classification, HeatMap, Score
from hilum_module.codes import Code
from hilum_module.course import Change, Earlier
from hilum_module.findings import (
    Angle,
    Box,
    Curve,
    Draft,
    Drawing,
    Finding,
    FindingError,
    KeyImage,
    Label,
    LabelMap,
    Length,
    Measurement,
    Note,
    OwnObject,
    ParametricMap,
    Plot,
    Point,
    Refusal,
    Segment,
    Table,
    Urgency,
    with_parts,
)
from hilum_module.volume import Volume

KINDS: dict[str, type[Finding]] = {
    kind.__name__: kind
    for kind in (
        *(Segment, LabelMap, ParametricMap, Measurement, Change, Note, Refusal, OwnObject),
        *(Point, Box, Length, Angle, Table, Plot, KeyImage, Draft, Urgency, Drawing),
        *(Classification, HeatMap),
    )
}
LINES: dict[str, Any] = {  # what the lines of a field are
    "table": Label,
    "curves": Curve,
    "scores": Score,
    "outcome": Score,
    "earlier": Earlier,
}
ARRAYS = ("pixels", "content", "values", "region")  # fields that hold one; in others it is a list
SENT = ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8")  # types in a letter
MOST_AXES = 4
VOXELS = {1: np.uint8, 2: np.uint16, 4: np.float32}  # of label maps and maps, by bytes


def as_item(
    finding: Finding, before: Sequence[Finding], arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """`finding`, which follows `before`, as JSON; its arrays are put into `arrays`."""
    index = len(before)
    item: dict[str, Any] = {"kind": type(finding).__name__}
    for field in fields(finding):
        name, value = field.name, getattr(finding, field.name)
        if isinstance(value, Volume):
            if value.array.dtype == np.bool_:
                arrays[f"{index}.{name}"], arrays[f"{index}.box"] = _packed(value.array)
            else:
                arrays[f"{index}.{name}"], arrays[f"{index}.grid"] = _deflated(value.array)
            arrays[f"{index}.affine"] = np.asarray(value.affine, float)
            item["frame_of_reference_uid"] = value.frame_of_reference_uid
        elif isinstance(value, Finding):
            item[name] = _place(value, before)
        elif isinstance(value, np.ndarray) and name in ARRAYS:
            arrays[f"{index}.{name}"] = _sent(name, value)
        else:
            item[name] = _plain(value)
    return item


def from_items(
    items: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
) -> tuple[Finding, ...]:
    """What Hilum gives as JSON and arrays: findings of another module."""
    found: list[Finding] = []
    for index, item in enumerate(items):
        kind = KINDS[item["kind"]]
        values = {}
        for field in fields(kind):
            name, key = field.name, f"{index}.{field.name}"
            values[name] = arrays[key] if key in arrays else _decoded(name, item.get(name))
            if key in arrays and f"{index}.affine" in arrays:
                frame = item["frame_of_reference_uid"]
                voxels = _voxels(key, index, arrays)
                values[name] = Volume(voxels, arrays[f"{index}.affine"], frame)
        if values.get("of") is not None:
            values["of"] = with_parts(found)[values["of"]]
        found.append(kind(**values))
    return tuple(found)


def _sent(name: str, array: np.ndarray) -> np.ndarray:
    """`array` as it can cross to Hilum, which says what its type and shape have to be."""
    if array.ndim > MOST_AXES or array.dtype.kind not in "biuf":
        needed = f"numbers with {MOST_AXES} axes at most are needed"
        raise FindingError(f"the {name} are {array.dtype} with {array.ndim} axes; {needed}")
    return array if array.dtype.str in SENT else array.astype(np.float64)


def _place(finding: Finding, before: Sequence[Finding]) -> int:
    for place, earlier in enumerate(with_parts(before)):
        if earlier is finding:
            return place
    raise FindingError("it is of a finding that was not yielded before it")


def _plain(value: Any) -> Any:
    if isinstance(value, Code):
        return {"code": list(value)}
    if isinstance(value, (np.generic, np.ndarray)) and not np.ndim(value):
        return value.item()
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _decoded(name: str, value: Any) -> Any:
    """The value of the field `name`, as JSON holds it."""
    if isinstance(value, list):
        return tuple(_decoded(name, each) for each in value)
    if name == "day":
        return date.fromisoformat(value)
    if not isinstance(value, dict):
        return value
    if list(value) == ["code"]:
        return Code(*value["code"])
    return LINES[name](**{field: _decoded(field, each) for field, each in value.items()})


def _voxels(key: str, index: int, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if f"{index}.box" in arrays:
        return _unpacked(arrays[key], arrays[f"{index}.box"])
    *shape, width = arrays[f"{index}.grid"].tolist()
    content = zlib.decompress(arrays[key].tobytes())
    return np.frombuffer(content, VOXELS[width]).reshape(shape)


def _deflated(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of a label map or a map, deflated, and its shape and bytes a voxel."""
    kind: Any = np.float32
    if array.dtype.kind in "iu":
        least, most = int(array.min()), int(array.max())
        if least < 0 or most > 65535:
            wrong = least if least < 0 else most
            raise FindingError(f"the label map holds the value {wrong}; 0 to 65535 are allowed")
        kind = np.uint8 if most < 256 else np.uint16
    plain = np.ascontiguousarray(array, kind)
    content = zlib.compress(plain.tobytes(), 1)
    return np.frombuffer(content, np.uint8), np.array([*plain.shape, plain.itemsize], np.int64)


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
