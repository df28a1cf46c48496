"""Which fragments of compressed pixel data make which frame (PS3.5 A.4), found in one walk."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from hilum.dicom.codestream import JP2, JPEG, JPEG_2000
from hilum.dicom.structure import ITEM, SEQUENCE_END
from hilum.errors import UnreadableError


class Span(NamedTuple):
    """A piece of a file, in bytes."""

    start: int
    length: int


class Fragments:
    """Those of `count` frames in `file`; the value of the pixel data is at `start`."""

    def __init__(self, file: BinaryIO, start: int, count: int) -> None:
        self._file = file
        self._count = count
        self._table, *self._spans = self._items(start)
        if not self._spans:
            raise UnreadableError("its PixelData hold no frame")

    def frames(self, extended_offsets: bytes) -> list[list[Span]]:
        """The fragments of each frame.

        By a table of offsets if it fits the fragments, else one each, else by how they begin.
        `UnreadableError` if none of it gives as many frames as there are.
        """
        if self._count == 1:
            return [self._spans]
        for starts in self._tables(extended_offsets):
            frames = self._split(starts)
            if len(frames) == self._count:
                return frames
        if len(self._spans) == self._count:
            return [[span] for span in self._spans]
        frames = self._split([self._offset(span) for span in self._spans if self._begins(span)])
        if len(frames) == self._count:
            return frames
        raise UnreadableError(
            f"its PixelData have {len(self._spans)} fragments, NumberOfFrames is {self._count}"
        )

    def _items(self, position: int) -> list[Span]:
        """Those of the pixel data; the first one is the Basic Offset Table."""
        spans = []
        end = self._file.seek(0, 2)
        while position + 8 <= end:
            self._file.seek(position)
            head = self._file.read(8)
            tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
            length = int.from_bytes(head[4:], "little")
            if tag == SEQUENCE_END:
                break
            if tag != ITEM or position + 8 + length > end:
                raise UnreadableError("the fragments of its PixelData are broken")
            spans.append(Span(position + 8, length))
            position += 8 + length
        return spans or [Span(position, 0)]

    def _tables(self, extended: bytes) -> Iterator[list[int]]:
        """Where frames begin, counted from the first fragment, as each table says that there is."""
        if len(extended) == 8 * self._count:
            yield np.frombuffer(extended, "<u8").tolist()
        if self._table.length == 4 * self._count:
            self._file.seek(self._table.start)
            yield np.frombuffer(self._file.read(self._table.length), "<u4").tolist()

    def _split(self, starts: Sequence[int]) -> list[list[Span]]:
        """The fragments in groups; one begins at each of the offsets `starts`."""
        wanted = set(starts)
        frames: list[list[Span]] = []
        for span in self._spans:
            if self._offset(span) in wanted:
                frames.append([])
            if frames:
                frames[-1].append(span)
        return frames

    def _offset(self, span: Span) -> int:
        return span.start - self._spans[0].start

    def _begins(self, span: Span) -> bool:
        """Whether `span` is the beginning of a codestream."""
        self._file.seek(span.start)
        return self._file.read(len(JP2)).startswith((JPEG, JPEG_2000, JP2))
