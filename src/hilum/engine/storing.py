"""A finding as JSON and arrays, by the types of its fields: no kind needs code of its own here."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.errors import FindingError
from hilum.findings import FINDING_KINDS, Finding, with_parts
from hilum.findings.structure import box_of

Arrays = dict[str, np.ndarray]
VOXELS = {1: np.uint8, 2: np.uint16, 4: np.float32}  # types of label maps and maps, by bytes
FRAME = "frame_of_reference_uid"
# What JSON may hold for a type; of another type, such as a Literal, any plain value is judged by
# the finding itself.
JSON_TYPES: dict[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (float, int),
    list: (list,),
    dict: (dict,),
}


def as_json(finding: Finding, before: Sequence[Finding], arrays: Arrays) -> dict[str, Any]:
    """`finding`, which follows `before`, as JSON; its arrays are put into `arrays`.

    What it refers to is given by its number in `before`, where the parts of a finding follow it. A
    kind has one volume at most.
    """
    index = len(before)
    item: dict[str, Any] = {"kind": type(finding).__name__}
    for name, value in _values(finding):
        match value:
            case Volume():
                if value.array.dtype == np.bool_:
                    arrays[f"{index}.{name}"], arrays[f"{index}.box"] = packed(value.array)
                else:
                    arrays[f"{index}.{name}"], arrays[f"{index}.grid"] = deflated(value.array)
                arrays[f"{index}.affine"] = value.affine
                frame = value.frame_of_reference_uid
                item[FRAME] = frame and str(frame)  # a UID of pydicom is a class of its own
            case np.ndarray():
                arrays[f"{index}.{name}"] = value
            case Finding():
                item[name] = next(n for n, each in enumerate(with_parts(before)) if each is value)
            case _:
                item[name] = _plain(value)
    return item


def from_json(
    item: Mapping[str, Any], before: Sequence[Finding], arrays: Mapping[str, np.ndarray]
) -> Finding:
    """What `as_json` was given.

    Raises
    ------
    LookupError, TypeError, ValueError
        It was given nothing of the kind: each value has to be of the type that its field says.
    """
    kind, index = FINDING_KINDS[item["kind"]], len(before)
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        key = f"{index}.{name}"
        if hint is Volume:
            values[name] = Volume(
                unpacked(arrays[key], arrays[f"{index}.box"])
                if f"{index}.box" in arrays
                else inflated(arrays[key], arrays[f"{index}.grid"]),
                affine=arrays[f"{index}.affine"],
                coordinate_system="PATIENT",
                frame_of_reference_uid=_value(str, item[FRAME]),
            )
        elif hint is np.ndarray:
            values[name] = arrays.get(key)
        else:
            values[name] = _field(f"the {name} of the {kind.__name__}", hint, item[name], before)
    return kind(**values)


def _field(what: str, hint: Any, value: Any, before: Sequence[Finding]) -> Any:
    """The value of a field; `FindingError` that says `what` is not of the type that it should be.

    Its own text would hold what the module gave.
    """
    try:
        if isinstance(hint, type) and issubclass(hint, Finding):
            return None if value is None else _earlier(before, value)
        return _value(hint, value)
    except FindingError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FindingError(f"{what} is not of the type that it should be") from error


def packed(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the smallest box that holds all of `mask`, and its first, end and whole size.

    A hippocampus fills a thousandth of a head: the masks of one were tens of megabytes.
    """
    box = box_of(mask)
    sides = [[side.start for side in box], [side.stop for side in box], mask.shape]
    return np.packbits(mask[box]), np.array(sides)


def unpacked(bits: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The mask that `packed` was given; `ValueError` where it gave none of these."""
    first, end, shape = _sides(box)
    size = tuple(b - a for a, b in zip(first, end, strict=True))
    count = math.prod(size)
    if bits.dtype != np.uint8 or bits.shape != (-(-count // 8),):
        raise ValueError(f"a box of {count} voxels and {bits.size} bytes of bits")
    mask = np.zeros(shape, bool)
    mask[tuple(map(slice, first, end))] = np.unpackbits(bits, count=count).reshape(size)
    return mask


def deflated(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of a label map, or of a map (float32), deflated; its shape and bytes a voxel."""
    content = zlib.compress(np.ascontiguousarray(labels).data, level=1)
    return np.frombuffer(content, np.uint8), np.array([*labels.shape, labels.itemsize])


def inflated(content: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """What `deflated` was given; `ValueError` where it gave none of these."""
    shape, width = _grid(grid)
    if content.dtype != np.uint8:
        raise ValueError(f"a label map of {content.dtype}")
    count = math.prod(shape) * width
    inflating = zlib.decompressobj()
    try:
        voxels = inflating.decompress(content.tobytes(), count + 1)  # never more than is needed
    except zlib.error as error:
        raise ValueError("a label map that cannot be inflated") from error
    if len(voxels) != count or not inflating.eof:
        raise ValueError(f"a label map of another size than {shape}")
    return np.frombuffer(voxels, VOXELS[width]).reshape(shape)


def unpacked_bytes(arrays: Mapping[str, np.ndarray]) -> int:
    """Bytes that all masks and label maps among `arrays` take once they are unpacked.

    Raises as `unpacked` and `inflated`.
    """
    masks = (math.prod(_sides(box)[2]) for name, box in arrays.items() if name.endswith(".box"))
    grids = (_grid(grid) for name, grid in arrays.items() if name.endswith(".grid"))
    return sum(masks) + sum(math.prod(shape) * width for shape, width in grids)


def _grid(grid: np.ndarray) -> tuple[tuple[int, ...], int]:
    """Shape of a label map, and bytes of one of its voxels."""
    if grid.dtype.kind not in "iu" or grid.shape != (4,):
        raise ValueError(f"a grid of {grid.dtype} {grid.shape}")
    *shape, width = grid.tolist()
    if min(shape) < 0 or width not in VOXELS:
        raise ValueError(f"a label map of {shape} voxels of {width} bytes")
    return tuple(shape), width


def _sides(box: np.ndarray) -> tuple[list[int], list[int], list[int]]:
    """First, end and whole size of a box."""
    if box.dtype.kind not in "iu" or box.ndim != 2 or len(box) != 3:
        raise ValueError(f"a box of {box.dtype} {box.shape}")
    first, end, shape = box.tolist()
    if not all(0 <= a <= b <= c for a, b, c in zip(first, end, shape, strict=True)):
        raise ValueError(f"a box from {first} to {end} in {shape}")
    return first, end, shape


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


def _earlier(before: Sequence[Finding], number: object) -> Finding:
    known = with_parts(before)
    if not isinstance(number, int) or not 0 <= number < len(known):
        raise LookupError(f"no finding {number!r} stands before this one")
    return known[number]


def _value(hint: Any, value: Any) -> Any:
    """`value`, as JSON holds it, as the type that `hint` names."""
    if value is None:
        return None
    if hint is Code:
        texts = value["code"] if isinstance(value, dict) else value
        return Code(*(_value(str, text) for text in texts))
    if hint is date:
        return date.fromisoformat(value)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        return tuple(_value(inner[0], each) for each in _value(list, value))
    if isinstance(hint, type) and is_dataclass(hint):
        named = _hints(hint)
        given = _value(dict, value)
        return hint(**{name: _value(named[name], each) for name, each in given.items()})
    return _plain_value(hint, value)


def _plain_value(hint: Any, value: Any) -> Any:
    allowed = JSON_TYPES.get(hint, (str, bool, int, float))
    if type(value) not in allowed:
        raise TypeError(f"{type(value).__name__} where {hint} should be")
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
