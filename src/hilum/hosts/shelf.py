"""Memory in which the process of a module leaves what it found, for the worker to read.

It holds a letter: JSON, and behind it the arrays that the JSON lists, each by type and shape. The
worker makes the memory and seals its size, so nobody can take it away under a reader. It copies the
letter and judges the copy: the other process may write on. Nothing in it is code, a pickle, a path
or an offset.
"""

import ctypes
import fcntl
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.errors import ModuleError

MEBIBYTE = 1 << 20
LONGEST_JSON = 16 * MEBIBYTE
MOST_ARRAYS = 10_000
MOST_PICTURES = 1000
LONGEST_TRACEBACK = 100_000  # characters
MOST_BYTES = 1024 * MEBIBYTE  # of a shelf, however much memory a module has
_ALIGNED = 64  # bytes; where an array begins
_PUNCH_HOLE_KEEP_SIZE = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

Text = Annotated[str, Field(max_length=256)]
TypeName = Literal["|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8"]


@dataclass(frozen=True)
class Letter:
    """What one run leaves: findings as JSON with their arrays, the pictures of films, a traceback.

    `arrays` go by the names that `hilum.engine.storing` gives them, `pictures` by SOP Instance UID.
    """

    items: Sequence[Mapping[str, Any]] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    traceback: str = ""


class _Array(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Text
    type: TypeName
    shape: Annotated[list[Annotated[int, Field(ge=0, le=1 << 31)]], Field(max_length=4)]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.type).itemsize


class _Contents(BaseModel):
    """What stands at the beginning of a letter."""

    model_config = ConfigDict(extra="forbid", strict=True)
    items: list[dict[str, Any]]
    arrays: Annotated[list[_Array], Field(max_length=MOST_ARRAYS)]
    pictures: Annotated[list[_Array], Field(max_length=MOST_PICTURES)]
    traceback: Annotated[str, Field(max_length=LONGEST_TRACEBACK)]


class Shelf:
    """The memory as the worker has it. `descriptor` is for the process of the module."""

    def __init__(self, size: int) -> None:
        """Room for `size` bytes; a page is taken from the machine when it is written to."""
        self.size = size
        self.descriptor = os.memfd_create("findings", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)

    def take(self, length: int) -> Letter:
        """The letter whose JSON has `length` bytes.

        Raises
        ------
        ModuleError
            It is no letter; the text says why.
        """
        if not 0 < length <= min(LONGEST_JSON, self.size):
            raise _unreadable(f"its text has {length} bytes")
        try:
            contents = _Contents.model_validate_json(os.pread(self.descriptor, length, 0))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])[:100]
            raise _unreadable(f"{place or 'the text'}: {first['type']}") from error
        listed = [*contents.arrays, *contents.pictures]
        places, end = _laid_out(length, [array.bytes for array in listed])
        if end > self.size:
            raise _unreadable(f"its arrays take more than {self.size // MEBIBYTE} MiB")
        copied = memoryview(os.pread(self.descriptor, end - length, length))
        arrays = [
            _cut(copied[place - length :], array)
            for place, array in zip(places, listed, strict=True)
        ]
        count = len(contents.arrays)
        return Letter(
            contents.items,
            dict(zip([a.name for a in contents.arrays], arrays[:count], strict=True)),
            dict(zip([p.name for p in contents.pictures], arrays[count:], strict=True)),
            contents.traceback,
        )

    def clear(self) -> None:
        """Give the memory back to the machine; the shelf keeps its size."""
        library = ctypes.CDLL(None, use_errno=True)
        library.fallocate(
            self.descriptor, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(self.size)
        )

    def close(self) -> None:
        os.close(self.descriptor)


def shelf_bytes(memory_mb: int) -> int:
    """Room on the shelf of a module that may take `memory_mb` MiB: a quarter of it."""
    return min(memory_mb * MEBIBYTE // 4, MOST_BYTES)


def put(letter: Letter, memory: memoryview) -> int:
    """Write `letter` into the memory of a shelf; the length of its JSON, for `Shelf.take`.

    Raises `ModuleError` where it does not fit.
    """
    arrays = [*letter.arrays.values(), *letter.pictures.values()]
    plain = [np.ascontiguousarray(array) for array in arrays]
    text = json.dumps(
        {
            "items": letter.items,
            "arrays": _listed(letter.arrays),
            "pictures": _listed(letter.pictures),
            "traceback": letter.traceback[-LONGEST_TRACEBACK:],
        }
    ).encode()
    places, end = _laid_out(len(text), [array.nbytes for array in plain])
    if len(text) > LONGEST_JSON or end > len(memory):
        room = len(memory) // MEBIBYTE
        raise ModuleError(f"its findings take {end // MEBIBYTE} MiB; there is room for {room} MiB")
    memory[: len(text)] = text
    for place, array in zip(places, plain, strict=True):
        memory[place : place + array.nbytes] = array.reshape(-1).view(np.uint8).data
    return len(text)


def _listed(arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": array.dtype.str, "shape": list(array.shape)}
        for name, array in arrays.items()
    ]


def _laid_out(end: int, sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where arrays of these sizes begin, behind a text that ends at `end`; the end of the last."""
    places = []
    for size in sizes:
        places.append(-(-end // _ALIGNED) * _ALIGNED)
        end = places[-1] + size
    return places, end


def _cut(copied: memoryview, array: _Array) -> np.ndarray:
    """The array that begins what was `copied`."""
    raw = np.frombuffer(copied[: array.bytes], np.uint8)
    # a boolean of another byte than 0 and 1 would be neither True nor False
    values = raw != 0 if array.type == "|b1" else raw.view(array.type)
    return values.reshape(array.shape)


def _unreadable(why: str) -> ModuleError:
    return ModuleError(f"what the module's process left cannot be read: {why}")
