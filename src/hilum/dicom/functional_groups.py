"""What the headers say of one frame: classic attributes and functional groups, in one form.

An enhanced object states position, orientation and much else once for all frames or once for each
(PS3.3 C.7.6.16). Thousands of frames are read here from the bytes themselves: only what places,
splits and scales a frame is decoded, everything else is stepped over.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from hilum.dicom.structure import ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, UNDEFINED, Buffer
from hilum.errors import UnreadableError

GroupValue = tuple[float, ...] | str  # also the text of a number that cannot be read
Values = Mapping[str, GroupValue]

SHARED, PER_FRAME = 0x52009229, 0x52009230
MOST_FRAMES = 100_000
MOST_HEADS = 5_000_000  # elements looked at in all frames; 10,000 frames of one vendor have 1.2 M
DEEPEST = 8  # the attributes wanted lie two or three sequences deep

# What is read of a frame, and the value representation of each (PS3.6).
WANTED = {
    "ImagePositionPatient": "DS",
    "ImageOrientationPatient": "DS",
    "PixelSpacing": "DS",
    "SliceThickness": "DS",
    "StackID": "SH",
    "InStackPositionNumber": "UL",
    "TemporalPositionIndex": "UL",
    "TemporalPositionIdentifier": "IS",
    "TriggerTime": "DS",
    "NominalCardiacTriggerDelayTime": "FD",
    "FrameAcquisitionNumber": "US",
    "AcquisitionNumber": "IS",
    "RescaleSlope": "DS",
    "RescaleIntercept": "DS",
    "EchoTime": "DS",
    "EffectiveEchoTime": "FD",
    "DiffusionBValue": "FD",
    "DiffusionGradientOrientation": "FD",
    "ImageType": "CS",
    "FrameType": "CS",
}
_NAMES = {int(Tag(keyword)): keyword for keyword in WANTED}
_TAGS = {keyword: tag for tag, keyword in _NAMES.items()}

# The sequences below a frame's item that hold them (PS3.3 C.7.6.16.2, C.8.13.5, C.8.15.3, C.8.22).
_GROUPS = frozenset(
    int(Tag(keyword))
    for keyword in (
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "PixelMeasuresSequence",
        "FrameContentSequence",
        "PixelValueTransformationSequence",
        "CardiacSynchronizationSequence",
        "MREchoSequence",
        "MRDiffusionSequence",
        "DiffusionGradientDirectionSequence",
        "MRImageFrameTypeSequence",
        "CTImageFrameTypeSequence",
        "PETFrameTypeSequence",
        "UnassignedSharedConvertedAttributesSequence",
        "UnassignedPerFrameConvertedAttributesSequence",
    )
)

_BINARY = {"FD": "d", "FL": "f", "US": "H", "SS": "h", "UL": "L", "SL": "l"}


@dataclass(frozen=True)
class FrameGroups:
    """The functional groups of one object.

    `values` holds for every frame what is `WANTED` of it, shared values included; `places` where
    its item lies in the file. `shared` is the place of the shared item, or None.
    """

    values: tuple[Values, ...]
    places: tuple[tuple[int, int], ...]
    shared: tuple[int, int] | None


def of_classic(header: Dataset) -> Values:
    """What is `WANTED` of an object with one plane."""
    little = header.original_encoding[1] is not False
    values: dict[str, GroupValue] = {}
    for keyword, tag in _TAGS.items():
        element = header._dict.get(tag)  # type: ignore[call-overload]  # not decoded by pydicom
        if element is None:
            continue
        vr = _representation(element.VR, WANTED[keyword])
        if isinstance(element.value, bytes):
            value = decoded(element.value, vr, little)
        else:  # pydicom has decoded it before
            value = decoded(_as_text(element.value).encode(), "DS" if vr in _BINARY else vr)
        if value is not None:
            values[keyword] = value
    return values


def of_multi_frame(
    content: Buffer, syntax: str, places: Mapping[int, tuple[int, int]]
) -> FrameGroups:
    """Read the functional groups of a file whose outermost elements lie at `places`.

    Raises `UnreadableError` where they make no sense.
    """
    reader = _Reader(content, syntax)
    shared: dict[str, GroupValue] = {}
    shared_place = None
    for shared_place in reader.items(*places.get(SHARED, (0, 0))):
        reader.collect(*shared_place, shared)
        break
    values: list[Values] = []
    frames: list[tuple[int, int]] = []
    for place in reader.items(*places.get(PER_FRAME, (0, 0))):
        if len(frames) == MOST_FRAMES:
            raise UnreadableError(f"it has more than {MOST_FRAMES} frames")
        own = dict(shared)
        reader.collect(*place, own)
        frames.append(place)
        values.append(own)
    return FrameGroups(tuple(values), tuple(frames), shared_place)


def decoded(raw: bytes, vr: str, little: bool = True) -> GroupValue | None:
    """Numbers of a numeric value representation, else text; None if empty.

    Numbers that are broken are text, too: they are not taken for what is not stated.
    """
    form = _BINARY.get(vr)
    if form and raw and len(raw) % struct.calcsize(f"<{form}") == 0:
        count = len(raw) // struct.calcsize(f"<{form}")
        return struct.unpack(f"{'<' if little else '>'}{count}{form}", raw)
    text = raw.decode("latin-1")
    text = text if form else text.strip(" \0")
    if not text:
        return None
    if vr not in ("DS", "IS") or "_" in text:  # Python reads 1_0 as 10
        return text
    try:
        return tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return text


def _representation(stated: str | None, wanted: str) -> str:
    """The VR to decode by: as stated where that is one of numbers, else the dictionary's."""
    return stated if stated in (*_BINARY, "DS", "IS") else wanted


def _as_text(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value)


class _Element(NamedTuple):
    """One element: its tag and VR, where its value begins, and where it ends (None: unknown)."""

    tag: int
    vr: bytes
    value: int
    end: int | None
    implicit: bool


class _Reader:
    """Steps through nested items of one file; the number of elements is bounded."""

    def __init__(self, content: Buffer, syntax: str) -> None:
        self._content = content
        self._little = syntax != ExplicitVRBigEndian
        self._implicit = syntax == ImplicitVRLittleEndian
        order = "<" if self._little else ">"
        self._explicit_head = struct.Struct(f"{order}HH2sH").unpack_from
        self._implicit_head = struct.Struct(f"{order}HHL").unpack_from
        self._length = struct.Struct(f"{order}L").unpack_from
        self._heads = 0

    def items(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Begin and end of the content of each item of the sequence whose value is given."""
        position = start
        while position + 8 <= end:
            element = self._head(position, self._implicit)
            if element.tag != ITEM:
                return
            inner = element.end
            if inner is None:
                inner = self._end_of_item(element.value, end)
                position = inner + 8
            else:
                position = inner
            if inner > end:
                raise UnreadableError("a functional group ends beyond its sequence")
            yield element.value, inner

    def collect(self, start: int, end: int, values: dict[str, GroupValue], depth: int = 0) -> None:
        """Add to `values` what is wanted of the item between `start` and `end`."""
        position = start
        while position + 8 <= end:
            element = self._head(position, self._implicit)
            after = self._after(element, end)
            if element.tag in _GROUPS and depth < DEEPEST:
                for place in self.items(element.value, after):
                    self.collect(*place, values, depth + 1)
                    break
            elif keyword := _NAMES.get(element.tag):
                stated = None if element.implicit else element.vr.decode("latin-1")
                vr = _representation(stated, WANTED[keyword])
                value = decoded(bytes(self._content[element.value : after]), vr, self._little)
                if value is not None:
                    values[keyword] = value
            position = after

    def _after(self, element: _Element, end: int) -> int:
        """Where the next element begins."""
        if element.end is not None:
            return element.end
        position = element.value
        while position + 8 <= end:
            inner = self._head(position, element.implicit)
            if inner.tag == SEQUENCE_END:
                return inner.value
            position = inner.end or self._end_of_item(inner.value, end) + 8
        raise UnreadableError("a functional group has no end")

    def _end_of_item(self, start: int, end: int) -> int:
        """Where the delimiter of an item of undefined length lies."""
        position = start
        while position + 8 <= end:
            element = self._head(position, self._implicit)
            if element.tag == ITEM_END:
                return position
            position = self._after(element, end)
        raise UnreadableError("a functional group has no end")

    def _head(self, position: int, implicit: bool) -> _Element:
        self._heads += 1
        if self._heads > MOST_HEADS:
            raise UnreadableError(f"its functional groups have more than {MOST_HEADS} elements")
        group, element, vr, length = self._explicit_head(self._content, position)
        value = position + 8
        if implicit or group == 0xFFFE or not b"AA" <= vr <= b"ZZ":
            length = self._length(self._content, position + 4)[0]
            implicit = True
        elif vr in LONG_VRS:
            length = self._length(self._content, position + 8)[0]
            value += 4
        tag = group << 16 | element
        return _Element(tag, vr, value, None if length == UNDEFINED else value + length, implicit)
