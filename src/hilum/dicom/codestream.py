"""What a compressed frame says of its own size, read without decoding it.

A decoder takes the memory that the codestream asks for, whatever the DICOM header says. So both are
compared first. All of this looks at a few hundred bytes and ends, whatever they are.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hilum.errors import UnreadableError

JPEG = b"\xff\xd8"  # SOI; JPEG-LS begins with the same marker
JPEG_2000 = b"\xff\x4f\xff\x51"  # SOC, SIZ; the same for HTJ2K
JP2 = b"\0\0\0\x0cjP  "  # a JPEG 2000 codestream in the boxes of its file format

# SOF0-15 (ITU-T T.81 table B.1) without DHT, JPG and DAC, which lie among them; SOF55 (T.87 C.2.2).
FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
START_OF_SCAN, END_OF_IMAGE, HIERARCHICAL = 0xDA, 0xD9, 0xDE
WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0-7, SOI
MOST_SEGMENTS = 10_000  # before the first scan; there are a dozen, and colour profiles in pieces
MOST_TILES = 65_535  # of JPEG 2000 (ITU-T T.800 A.3.2)
RLE_HEADER = 64  # bytes (PS3.5 G.5)
MOST_RLE_SEGMENTS = 15


class FrameSize(NamedTuple):
    """The size of one frame, as its codestream states it."""

    rows: int
    columns: int
    components: int
    bits: int  # of the deepest component


def size_of(codestream: bytes) -> FrameSize:
    """The size that a JPEG, JPEG-LS or JPEG 2000 codestream states.

    Raises `UnreadableError` if these bytes state none, or more than one.
    """
    try:
        if codestream.startswith(JP2):
            codestream = _in_boxes(codestream)
        if codestream.startswith(JPEG_2000):
            return _of_jpeg_2000(codestream)
        if codestream.startswith(JPEG):
            return _of_jpeg(codestream)
    except (struct.error, IndexError):
        raise UnreadableError("its compressed pixels end within their header") from None
    raise UnreadableError("its compressed pixels begin with no known codestream")


def rle_sizes(frame: bytes, most: int) -> list[int]:
    """Bytes that each segment of an RLE frame decodes to, counted up to `most` (PS3.5 G.3, G.5).

    Raises `UnreadableError` if the header of the frame makes no sense.
    """
    if len(frame) < RLE_HEADER:
        raise UnreadableError("its RLE pixels end within their header")
    count, *offsets = struct.unpack_from("<16L", frame)
    starts = offsets[:count]
    if not 1 <= count <= MOST_RLE_SEGMENTS:
        raise UnreadableError(f"its RLE header says {count} segments, 1 to 15 are possible")
    if starts[0] < RLE_HEADER or starts != sorted(set(starts)) or starts[-1] > len(frame):
        raise UnreadableError("the offsets of its RLE segments are broken")
    ends = [*starts[1:], len(frame)]
    return [_rle_size(frame, *ends_of, most) for ends_of in zip(starts, ends, strict=True)]


def _rle_size(frame: bytes, position: int, end: int, most: int) -> int:
    size = 0
    while position < end and size <= most:
        header = frame[position]
        if header < 128:  # so many bytes and one more as they are
            size += min(header + 1, end - position - 1)
            position += header + 2
        else:
            size += 257 - header if header > 128 and position + 1 < end else 0
            position += 2 if header > 128 else 1
    return size


def _of_jpeg(codestream: bytes) -> FrameSize:
    sizes = []
    for marker, start in _segments(codestream):
        if marker == HIERARCHICAL:
            raise UnreadableError("its pixels are hierarchical JPEG, which is not read")
        if marker in FRAME_MARKERS:
            bits, rows, columns, components = struct.unpack_from(">BHHB", codestream, start)
            sizes.append(FrameSize(rows, columns, components, bits))
    if len(sizes) != 1:
        raise UnreadableError(f"its codestream has {len(sizes)} frame headers, one is right")
    return sizes[0]


def _segments(codestream: bytes) -> Iterator[tuple[int, int]]:
    """Each marker before the first scan, and where the parameters of its segment begin."""
    position = len(JPEG)
    for _ in range(MOST_SEGMENTS):
        if codestream[position] != 0xFF:
            raise UnreadableError("the segments of its codestream are broken")
        marker = codestream[position + 1]
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in WITHOUT_LENGTH:
            position += 2
        else:
            yield marker, position + 4
            position += 2 + max(2, *struct.unpack_from(">H", codestream, position + 2))
    raise UnreadableError("its codestream has no end of segments before the first scan")


def _of_jpeg_2000(codestream: bytes) -> FrameSize:
    """The size in the SIZ segment (ITU-T T.800 A.5.1)."""
    x, y, x_start, y_start, tile_x, tile_y, tiles_x, tiles_y, components = struct.unpack_from(
        ">8LH", codestream, 8
    )
    if not (tile_x and tile_y):
        raise UnreadableError("its codestream has tiles without a size")
    if -(-(x - tiles_x) // tile_x) * -(-(y - tiles_y) // tile_y) > MOST_TILES:
        raise UnreadableError(f"its codestream has more than {MOST_TILES} tiles")
    depths = codestream[42 : 42 + 3 * components : 3]
    if not 0 < components == len(depths):
        raise UnreadableError("its codestream does not describe its components")
    bits = max(depth & 0x7F for depth in depths) + 1
    return FrameSize(max(0, y - y_start), max(0, x - x_start), components, bits)


def _in_boxes(file: bytes) -> bytes:
    """The codestream in a JP2 file (ITU-T T.800 I.4)."""
    position = 0
    for _ in range(MOST_SEGMENTS):
        length, kind = struct.unpack_from(">L4s", file, position)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", file, position + 8)
            head = 16
        if kind == b"jp2c":
            return file[position + head :]
        if length < head:  # 0: up to the end, where nothing follows
            break
        position += length
    raise UnreadableError("its JPEG 2000 file holds no codestream")
