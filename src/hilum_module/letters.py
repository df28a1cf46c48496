"""Letters in shared memory, as `hilum.hosts.shelf` writes and reads them.

JSON that lists arrays by name, type and shape, and behind it the arrays.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LONGEST_JSON = 16 << 20
LONGEST_TRACEBACK = 100_000  # characters
_ALIGNED = 64  # bytes; where an array begins


def take(memory: mmap.mmap, length: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The items and arrays of the letter whose JSON has `length` bytes; arrays are copies."""
    contents = json.loads(memory[:length])
    arrays = {}
    end = length
    for listed in contents["arrays"]:
        start = _aligned(end)
        kind, shape = np.dtype(listed["type"]), tuple(listed["shape"])
        end = start + int(np.prod(shape)) * kind.itemsize
        arrays[listed["name"]] = np.frombuffer(memory[start:end], kind).reshape(shape).copy()
    return contents["items"], arrays


def put(
    memory: mmap.mmap,
    items: Sequence[Mapping[str, Any]] = (),
    arrays: Mapping[str, np.ndarray] | None = None,
    traceback: str = "",
) -> int:
    """Write a letter; gives the length of its JSON. `MemoryError` where there is no room."""
    plain = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    listed = [
        {"name": name, "type": array.dtype.str, "shape": list(array.shape)}
        for name, array in plain.items()
    ]
    contents = {"items": items, "arrays": listed, "pictures": []}
    text = json.dumps({**contents, "traceback": traceback[-LONGEST_TRACEBACK:]}).encode()
    places = []
    end = len(text)
    for array in plain.values():
        places.append(_aligned(end))
        end = places[-1] + array.nbytes
    if len(text) > LONGEST_JSON or end > len(memory):
        raise MemoryError(f"its findings take {end >> 20} MiB; there is room for fewer")
    memory[: len(text)] = text
    for place, array in zip(places, plain.values()):
        memory[place : place + array.nbytes] = array.tobytes()
    return len(text)


def _aligned(place: int) -> int:
    return -(-place // _ALIGNED) * _ALIGNED
