"""Where the elements of an encoded data set lie (PS3.5 7.1, 7.5), found without decoding a value.

Whatever the bytes say, this ends soon and needs no memory: lengths are compared with what is there,
values are stepped over, nesting and the number of elements are bounded. It reads an element's head
as pydicom does, so that both see the same elements.
"""

import mmap
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from hilum.errors import UnreadableError

Buffer = bytes | mmap.mmap

PIXELS = 0x7FE00008  # Float Pixel Data; Double Float Pixel Data and Pixel Data follow
PIXEL_DATA = (PIXELS, 0x7FE00009, 0x7FE00010)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32)
DEEPEST = 100  # sequences in sequences; reports (TID 1500) have about ten
MOST_ELEMENTS = 1_000_000  # heads looked at; 10,000 frames of an enhanced object have as many
MOST_OUTERMOST = 10_000  # of them outside of sequences; the largest objects have hundreds

TRUNCATED = "it ends in the middle of an element"


class Element(NamedTuple):
    """One element of the outermost level: its tag, and the offsets of its head, value and end."""

    tag: int
    start: int
    value: int
    end: int


class _Level(NamedTuple):
    """A sequence, or an item of one, of undefined length."""

    is_item: bool
    implicit: bool


class Walker:
    """Steps through the data set in `buffer` from `offset` on."""

    def __init__(self, buffer: Buffer, offset: int, transfer_syntax: str) -> None:
        self._buffer = buffer
        self._position = offset
        self._size = len(buffer)
        self._implicit = transfer_syntax == ImplicitVRLittleEndian
        order = ">" if transfer_syntax == ExplicitVRBigEndian else "<"
        self._explicit_head = Struct(f"{order}HH2sH").unpack_from
        self._length = Struct(f"{order}L").unpack_from
        self._heads = 0

    @property
    def position(self) -> int:
        """The offset of what was not stepped over yet."""
        return self._position

    def elements(self) -> Iterator[Element]:
        """Those before the pixel data, in order; the pixel data are seen to be there as a whole.

        Raises `UnreadableError` where the bytes end too early, or make no sense.
        """
        count = 0
        while self._size - self._position >= 8:
            count += 1
            if count > MOST_OUTERMOST:
                raise UnreadableError(f"it has more than {MOST_OUTERMOST} elements side by side")
            start = self._position
            tag, length, implicit = self._head(self._implicit)
            value = self._position
            if length == UNDEFINED:
                self._skip_sequence(implicit, is_pixels=tag in PIXEL_DATA)
            else:
                self._skip(length)
            if tag >= PIXELS:
                return
            yield Element(tag, start, value, self._position)

    def _head(self, implicit: bool) -> tuple[int, int, bool]:
        """Read one head: tag, length, and whether what is inside has implicit VRs."""
        position = self._position
        self._position = position + 8
        if self._position > self._size:
            raise UnreadableError(TRUNCATED)
        self._heads += 1
        if self._heads > MOST_ELEMENTS:
            raise UnreadableError(f"it has more than {MOST_ELEMENTS} elements")
        group, element, vr, length = self._explicit_head(self._buffer, position)
        # A VR that is no two letters: some writers go over to implicit VRs inside sequences.
        if implicit or group == 0xFFFE or not b"AA" <= vr <= b"ZZ":
            length = self._length(self._buffer, position + 4)[0]
        elif vr in LONG_VRS:
            self._position += 4
            if self._position > self._size:
                raise UnreadableError(TRUNCATED)
            length = self._length(self._buffer, position + 8)[0]
            implicit = vr == b"UN"  # PS3.5 6.2.2, note 1
        return group << 16 | element, length, implicit

    def _skip(self, length: int) -> None:
        self._position += length
        if self._position > self._size:
            raise UnreadableError(TRUNCATED)

    def _skip_sequence(self, implicit: bool, is_pixels: bool) -> None:
        """Go behind a sequence, or the fragments of pixel data, of undefined length."""
        levels = [_Level(is_item=False, implicit=implicit)]
        while levels:
            if is_pixels and self._position == self._size:
                return  # some leave out the last delimiter; every fragment is here
            level = levels[-1]
            tag, length, inner = self._head(level.implicit)
            if tag == (ITEM_END if level.is_item else SEQUENCE_END):
                levels.pop()
            elif not level.is_item and tag != ITEM:
                raise UnreadableError("a sequence holds something else than items")
            elif length != UNDEFINED:
                self._skip(length)
            elif len(levels) >= 2 * DEEPEST:
                raise UnreadableError(f"its sequences lie more than {DEEPEST} deep in each other")
            else:
                levels.append(_Level(not level.is_item, inner))
