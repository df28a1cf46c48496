"""A finding as JSON and arrays, by the types of its fields: no kind needs code of its own here."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.findings import FINDING_KINDS, Finding

Arrays = dict[str, np.ndarray]
FRAME = "frame_of_reference_uid"


def as_json(finding: Finding, before: Sequence[Finding], arrays: Arrays) -> dict[str, Any]:
    """`finding`, which follows `before`, as JSON; its arrays are put into `arrays`.

    What it refers to is given by its number in `before`. A kind has one volume at most.
    """
    index = len(before)
    item: dict[str, Any] = {"kind": type(finding).__name__}
    for name, value in _values(finding):
        match value:
            case Volume():
                arrays[f"{index}.{name}"], arrays[f"{index}.box"] = packed(value.array)
                arrays[f"{index}.affine"] = value.affine
                item[FRAME] = value.frame_of_reference_uid
            case np.ndarray():
                arrays[f"{index}.{name}"] = value
            case Finding():
                item[name] = next(n for n, each in enumerate(before) if each is value)
            case _:
                item[name] = _plain(value)
    return item


def from_json(
    item: Mapping[str, Any], before: Sequence[Finding], arrays: Mapping[str, np.ndarray]
) -> Finding:
    """What `as_json` was given."""
    kind, index = FINDING_KINDS[item["kind"]], len(before)
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        key = f"{index}.{name}"
        if hint is Volume:
            values[name] = Volume(
                unpacked(arrays[key], arrays[f"{index}.box"]),
                affine=arrays[f"{index}.affine"],
                coordinate_system="PATIENT",
                frame_of_reference_uid=item[FRAME],
            )
        elif hint is np.ndarray:
            values[name] = arrays.get(key)
        elif isinstance(hint, type) and issubclass(hint, Finding):
            values[name] = None if item[name] is None else before[item[name]]
        else:
            values[name] = _value(hint, item[name])
    return kind(**values)


def packed(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the smallest box that holds all of `mask`, and its first, end and whole size.

    A hippocampus fills a thousandth of a head: the masks of one were tens of megabytes.
    """
    box: list[slice] = []
    for axis in range(mask.ndim):
        part = mask[tuple(box)]  # already cut along the axes before, so only the first one is long
        others = tuple(other for other in range(mask.ndim) if other != axis)
        filled = np.flatnonzero(part.any(others))
        box.append(slice(filled[0], filled[-1] + 1) if filled.size else slice(0, 0))
    sides = [[side.start for side in box], [side.stop for side in box], mask.shape]
    return np.packbits(mask[tuple(box)]), np.array(sides)


def unpacked(bits: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The mask that `packed` was given."""
    first, end, shape = box
    mask = np.zeros(shape, bool)
    size = end - first
    inside = np.unpackbits(bits, count=int(size.prod())).reshape(size)
    mask[tuple(map(slice, first, end))] = inside
    return mask


def _values(value: object) -> list[tuple[str, Any]]:
    assert is_dataclass(value)
    return [(field.name, getattr(value, field.name)) for field in fields(value)]


def _plain(value: Any) -> Any:
    match value:
        case Code():
            return {"code": [value.value, value.scheme_designator, value.meaning]}
        case date():
            return value.isoformat()
        case tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {name: _plain(each) for name, each in _values(value)}
        case _:
            return value


def _value(hint: Any, value: Any) -> Any:
    """`value`, as JSON holds it, as the type that `hint` names."""
    if value is None:
        return None
    if hint is Code:
        return Code(*(value["code"] if isinstance(value, dict) else value))
    if hint is date:
        return date.fromisoformat(value)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        return tuple(_value(inner[0], each) for each in value)
    if isinstance(hint, type) and is_dataclass(hint):
        named = _hints(hint)
        return hint(**{name: _value(named[name], each) for name, each in value.items()})
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The type of each field; one that may be None counts as what it is else."""
    hints = get_type_hints(kind)
    return {field.name: _without_none(hints[field.name]) for field in fields(kind)}


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    (given,) = (each for each in get_args(hint) if each is not type(None))
    return given
