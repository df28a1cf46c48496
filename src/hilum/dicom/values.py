"""From stored values to what the scanner meant: the Modality LUT of one frame (PS3.3 C.11.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom.functional_groups import GroupValue
from hilum.errors import UnreadableError

DEFAULTS = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}


@dataclass(frozen=True)
class Rescale:
    """`stored * slope + intercept`; each is the usual 1 or 0 where it is not stated.

    `problem` says why they cannot be used, or is None. `missing` names those that are not stated.
    """

    slope: float = 1.0
    intercept: float = 0.0
    problem: str | None = None
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, GroupValue]) -> Rescale:
        """Read both attributes, each by itself; text is a number that could not be read."""
        missing: list[str] = []
        numbers, problem = dict(DEFAULTS), None
        for keyword in DEFAULTS:
            stated = values.get(keyword)
            if stated is None:
                missing.append(keyword)
            elif isinstance(stated, str):
                problem = problem or f"{keyword} is not a number"
            else:
                numbers[keyword] = stated[0]
                problem = problem or _problem(keyword, stated)
        return cls(numbers["RescaleSlope"], numbers["RescaleIntercept"], problem, tuple(missing))

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Stored values (rows, columns) as float32; raises `UnreadableError` for a problem."""
        if self.problem:
            raise UnreadableError(self.problem)
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored.astype(np.float32)
        return (stored * np.float64(self.slope) + self.intercept).astype(np.float32)


def looked_up(values: np.ndarray, item: Dataset, order: str) -> tuple[np.ndarray, int]:
    """`values` through a LUT item (PS3.3 C.11.1.1, C.11.2.1.1), and the highest value it can give.

    Written out because pydicom 3.0 wraps the index of an 8 bit LUT and knows no 12 bit ones.
    `order` is "<" or ">", the byte order of words that pydicom leaves as bytes. The first value
    mapped has the sign of `values`, whatever VR is stated: that of their type, not of what happens
    to be in one slice.
    """
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    count = count % 2**16 or 2**16  # read as signed where the VR was taken for SS
    first %= 2**16
    if first >= 2**15 and (values.dtype.kind == "i" or values.min() < 0):
        first -= 2**16
    table = _entries(item["LUTData"].value, count, bits, order)
    if not 1 <= bits <= 16 or len(table) < count:
        raise UnreadableError("the table is shorter than its descriptor says")
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)
    return table[:count].astype(np.uint16)[index], 2**bits - 1


def _entries(data: object, count: int, bits: int, order: str) -> np.ndarray:
    """LUT Data as numbers; 8 bit entries may come two in a word."""
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data)).astype(np.uint16)
    if bits <= 8 and len(data) in (count, count + 1):
        return np.frombuffer(data, np.uint8)
    return np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.uint16)


def _problem(keyword: str, stated: tuple[float, ...]) -> str | None:
    """Why nothing can be rescaled by these values of an attribute."""
    if not math.isfinite(stated[0]) or len(stated) > 1:
        return f"{keyword} is not a usable number"
    return f"{keyword} is 0" if keyword == "RescaleSlope" and stated[0] == 0 else None
