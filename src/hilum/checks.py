"""The values of a finding, checked where it is made; each function returns the plain value.

What cannot be written into a DICOM object is refused at once, in the author's own line, and not by
a writer that does not know the module. Texts name what is wrong and never repeat a
text that was given, because it may hold patient data.
"""

import math
import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.uids import is_uid
from hilum.errors import FindingError

LONGEST_TEXT = 64  # characters of LO, for labels and the meanings of codes (PS3.5 6.2)
LONGEST_CODE = 16  # characters of SH, for code values and scheme designators
MOST_LABELS = 65535  # in a label map, whose voxels take two bytes at most (PS3.3 C.8.20.2)
SIDES = (codes.LEFT, codes.RIGHT)
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")  # in LO and SH: control characters, the backslash
UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")  # in any text (PS3.5 6.1.3)

Colour = tuple[int, int, int]
Position = tuple[float, ...]
Positions = tuple[Position, ...]


def number(what: str, value: object, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number from `least` to `most`; those of numpy become Python's own."""
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise FindingError(f"{what} is {_kind(value)}, not a number")
    plain = float(value)
    if not math.isfinite(plain):
        raise FindingError(f"{what} is {plain}, not a finite number")
    if not least <= plain <= most:
        needed = f"between {least:g} and {most:g}" if math.isfinite(most) else f"{least:g} or more"
        raise FindingError(f"{what} is {plain:g}; it must be {needed}")
    return plain


def number_if_any(what: str, value: object, least: float, most: float = math.inf) -> float | None:
    return None if value is None else number(what, value, least, most)


def yes_or_no(what: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise FindingError(f"{what} is {_kind(value)}, not True or False")
    return bool(value)


def text(what: str, value: object) -> str:
    """A sentence or more, of any length, that is not empty."""
    if not isinstance(value, str):
        raise FindingError(f"{what} is {_kind(value)}, not a text")
    if not value.strip():
        raise FindingError(f"{what} is empty")
    if UNWRITABLE.search(value):
        raise FindingError(f"{what} holds a control character or half of a character")
    return str(value)  # those of numpy are a class of their own


def label(what: str, value: object, longest: int = LONGEST_TEXT) -> str:
    """A text on one line that fits an attribute of `longest` characters."""
    plain = text(what, value)
    if len(plain) > longest:
        raise FindingError(f"{what} has {len(plain)} characters; {longest} are allowed")
    if FORBIDDEN.search(plain):
        raise FindingError(f"{what} holds a line break, a control character or a backslash")
    return plain


def code(what: str, value: object) -> Code:
    """A coded concept that fits the Code Sequence Macro (PS3.3 Table 8.8-1)."""
    if not isinstance(value, Code):
        raise FindingError(f"{what} is {_kind(value)}, not a pydicom Code(value, scheme, meaning)")
    for part, given in (("value", value.value), ("scheme", value.scheme_designator)):
        if not label(f"the {part} of {what}", given, LONGEST_CODE).isascii():
            raise FindingError(f"the {part} of {what} holds letters that are not ASCII")
    label(f"the meaning of {what}", value.meaning)
    return value


def code_if_any(what: str, value: object) -> Code | None:
    return None if value is None else code(what, value)


def side(what: str, value: object, name: str) -> Code | None:
    """Left, right, or None where it is not known; `name` must not say the other one."""
    if value is None:
        return None
    given = code(what, value)
    if given not in SIDES:
        raise FindingError(f"{what} is ({given.value}, {given.scheme_designator}), {NO_SIDE}")
    known = SIDES[SIDES.index(given)]
    words = set(re.findall(r"\w+", name.lower())) & {each.meaning.lower() for each in SIDES}
    if words and known.meaning.lower() not in words:
        raise FindingError(f"{what} is {known.meaning.lower()}, but its label says {words.pop()}")
    return known


NO_SIDE = "not codes.LEFT or codes.RIGHT; leave it out where the side is not known"


def colour(what: str, value: Any) -> Colour:
    """Red, green and blue, whole numbers from 0 to 255 each."""
    try:
        red, green, blue = value
    except (TypeError, ValueError) as error:
        raise FindingError(f"{what} is not three numbers (red, green, blue)") from error
    if not all(isinstance(c, Integral) and 0 <= int(c) <= 255 for c in (red, green, blue)):
        raise FindingError(f"{what} is not three whole numbers from 0 to 255")
    return int(red), int(green), int(blue)


def mask(what: str, value: object) -> Volume:
    """A boolean volume (slices, rows, columns)."""
    if not isinstance(value, Volume):
        needed = "a Volume: series.volume().with_array(mask)"
        raise FindingError(f"{what} is {_kind(value)}, not {needed}")
    if value.array.ndim != 3 or value.array.dtype != np.bool_:
        shape = f"{value.array.dtype} {value.array.shape}"
        raise FindingError(f"{what} is {shape}, not a boolean (slices, rows, columns) volume")
    return value


def label_value(what: str, value: object) -> int:
    """The value of voxels in a label map: a whole number from 1 to 65535."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise FindingError(f"{what} is {_kind(value)}, not a whole number")
    if not 1 <= int(value) <= MOST_LABELS:
        raise FindingError(f"{what} is {value}; it must be between 1 and {MOST_LABELS}")
    return int(value)


def label_volume(what: str, value: object) -> Volume:
    """An integer volume (slices, rows, columns), as uint8 where its values fit, else as uint16."""
    if not isinstance(value, Volume):
        needed = "a Volume: series.volume().with_array(labels)"
        raise FindingError(f"{what} is {_kind(value)}, not {needed}")
    array = value.array
    if array.ndim != 3 or array.dtype.kind not in "iu":
        shape = f"{array.dtype} {array.shape}"
        raise FindingError(f"{what} is {shape}, not an integer (slices, rows, columns) volume")
    least, most = int(array.min(initial=0)), int(array.max(initial=0))
    if least < 0 or most > MOST_LABELS:
        wrong = least if least < 0 else most
        raise FindingError(f"{what} holds the value {wrong}; 0 to {MOST_LABELS} are allowed")
    needed_type = np.uint8 if most < 256 else np.uint16
    return value if array.dtype == needed_type else value.with_array(array.astype(needed_type))


def number_volume(what: str, value: object) -> Volume:
    """Finite numbers in a volume (slices, rows, columns), as float32."""
    if not isinstance(value, Volume):
        needed = "a Volume: series.volume().with_array(values)"
        raise FindingError(f"{what} are {_kind(value)}, not {needed}")
    array = value.array
    if array.ndim != 3 or array.dtype.kind not in "iuf" or not array.size:
        shape = f"{array.dtype} {array.shape}"
        raise FindingError(f"{what} are {shape}, not numbers (slices, rows, columns)")
    if not np.isfinite(array).all():
        raise FindingError(f"{what} are not all finite: put 0 where there is no value")
    if max(-float(array.min()), float(array.max())) > float(np.finfo(np.float32).max):
        raise FindingError(f"{what} are too large for float32")
    return value if array.dtype == np.float32 else value.with_array(array.astype(np.float32))


def map_values(what: str, value: object) -> np.ndarray:
    """float32 (rows, columns), from 0 to 1."""
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype != np.float32:
        raise FindingError(f"the values of {what} are not a float32 array (rows, columns)")
    if not value.size or not ((value >= 0) & (value <= 1)).all():
        raise FindingError(f"the values of {what} do not all lie between 0 and 1")
    return value


def map_region(what: str, value: object, values: np.ndarray) -> np.ndarray | None:
    """Boolean, on the grid of `values`; None where it is not known."""
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.shape != values.shape or value.dtype != np.bool_:
        raise FindingError(f"the region of {what} is not a boolean array on the grid of its values")
    return value


def positions(what: str, value: Any, is_on_image: bool, counts: Sequence[int]) -> Positions:
    """As many positions as one of `counts`: (column, row) on an image, else (x, y, z) in mm."""
    numbers, needed = (2, "(column, row)") if is_on_image else (3, "(x, y, z) in mm")
    try:
        given = tuple(tuple(one) for one in value)
    except TypeError as error:
        raise FindingError(f"{what} are no sequence of positions {needed}") from error
    if len(given) not in counts:
        allowed = " or ".join(map(str, counts))
        raise FindingError(f"{what} are {len(given)} positions; {allowed} are needed")
    if any(len(one) != numbers for one in given):
        raise FindingError(f"{what} are not all {needed}")
    plain = tuple(tuple(number(what, each) for each in one) for one in given)
    if len(set(plain)) < len(plain):
        raise FindingError(f"{what}: two positions are the same")
    return plain


def image(what: str, value: object) -> str | None:
    """A SOP Instance UID; None for the whole input."""
    if value is None:
        return None
    if not isinstance(value, str) or not is_uid(value):
        raise FindingError(f"{what} is no SOP Instance UID")
    return str(value)


def _kind(value: object) -> str:
    return "None" if value is None else f"of the type {type(value).__name__}"
