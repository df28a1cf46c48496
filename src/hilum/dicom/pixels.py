"""The only place that decodes pixels: everything in Hilum that needs a frame comes here.

A frame is decoded alone, and only after what its codestream, or the length of the pixel data, says
has been compared with the header. So a small file cannot ask for much memory or time.
"""

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from hilum.dicom import jpeg
from hilum.dicom.codestream import rle_sizes, size_of
from hilum.dicom.fragments import Fragments, Span
from hilum.dicom.header import HOSTILE, Header, inflated
from hilum.dicom.part10 import body
from hilum.dicom.structure import PIXEL_DATA, UNDEFINED
from hilum.errors import MachineError, UnreadableError, is_of_the_machine
from hilum.wording import counted

jpeg.register()

MOST_PIXELS = 200_000_000  # of one frame: several times the largest detectors and stitched films
MOST_VOXELS = 1 << 30  # of one volume: 4 GiB as float32, or 4,096 slices of 512 x 512
WORKING_BYTES = 64 << 20  # a decoder needs them beside the pixels
PIXEL_KEYWORDS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
GREY = ("MONOCHROME1", "MONOCHROME2")


def stored_frame(path: Path, number: int) -> np.ndarray:
    """Stored values of one frame of the grey image at `path`: see `StoredFrames.frame`."""
    with StoredFrames(path) as stored:
        return stored.frame(number)


def require_size(frames: int, rows: int, columns: int) -> None:
    """Raise `UnreadableError` if a volume of this size is more than any scanner makes."""
    if frames * rows * columns > MOST_VOXELS:
        raise UnreadableError(
            f"{frames} x {rows} x {columns} voxels are more than the {MOST_VOXELS} of one volume"
            " that are read"
        )


class StoredFrames:
    """The frames of one file, decoded one at a time; a context manager that holds the file open.

    Where its frames lie is found once. `header` is the data set up to the pixels.

    Raises
    ------
    UnreadableError
        What the bytes say makes no image; the text names the image and the attribute.
    MachineError
        Memory, open files or the like ran out; the bytes are not to blame.
    """

    def __init__(self, path: Path) -> None:
        self._name, self._several = "an image", False
        self._closing = ExitStack()
        try:
            with self.named("the object cannot be read"):
                self._open(path)
        except BaseException:
            self._closing.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    @contextmanager
    def named(self, problem: str, number: int | None = None) -> Iterator[None]:
        """Whatever broken bytes raise becomes an `UnreadableError` that names the image.

        The text of its cause may hold patient data and is left out.
        """
        try:
            yield
        except (UnreadableError, *HOSTILE, RuntimeError, MemoryError) as error:
            name = f"frame {number} of {self._name}" if number and self._several else self._name
            if is_of_the_machine(error):
                raise MachineError(f"{name}: {problem}, {_lack(error)}") from error
            known = isinstance(error, UnreadableError)
            said = str(error) if known else f"{problem} ({type(error).__name__})"
            raise UnreadableError(f"{name}: {said}") from error

    def frame(self, number: int = 1) -> np.ndarray:
        """Stored values of frame `number`, from 1: integers (rows, columns), or floats.

        Bits above and below the stored ones (BitsStored, HighBit) are gone. A colour image raises.
        """
        with self.named("the pixels cannot be decoded", number):
            if self._samples != 1:
                raise UnreadableError(f"it is in colour, SamplesPerPixel is {self._samples}")
            photometric = str(self.header.get("PhotometricInterpretation") or "not given")
            if photometric not in GREY:
                raise UnreadableError(
                    f"it is not grey, its PhotometricInterpretation is {photometric[:16]!r}"
                )
            shift = self._unused_below()
            stored = self._decoded(number, bits_stored=self._bits_stored + shift)
            return stored >> shift if shift else stored

    def grey(self, number: int = 1) -> np.ndarray:
        """Frame `number` of whatever image in shades of grey: float32 (rows, columns), finite."""
        with self.named("the pixels cannot be decoded", number):
            pixels = self._decoded(number, bits_stored=self._bits_stored)
            grey = np.asarray(pixels.mean(axis=-1) if pixels.ndim == 3 else pixels, np.float32)
            if not np.isfinite(grey).all():
                raise UnreadableError("it has pixels without a finite value")
            return grey

    @property
    def order(self) -> str:
        """Byte order of words that pydicom leaves as bytes: "<" or ">"."""
        return ">" if self._syntax == ExplicitVRBigEndian else "<"

    def _open(self, path: Path) -> None:
        opened: BinaryIO = self._closing.enter_context(path.open("rb"))
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start, syntax = body(content)
            if syntax == DeflatedExplicitVRLittleEndian:
                opened, start = BytesIO(inflated(content[start:])), 0
        self._file, self._syntax = opened, UID(syntax)
        opened.seek(start)
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        self.header = read_dataset(opened, implicit, little, stop_when=_is_pixel_data)
        number = Header(self.header).integer("InstanceNumber")
        self._name = "an image without a number" if number is None else f"image {number}"
        self.count = int(self.header.get("NumberOfFrames") or 1)
        self._several = self.count > 1
        self._samples = int(self.header.get("SamplesPerPixel") or 1)
        self._rows, self._columns = self._size()
        self._find_pixels(implicit)
        self._spans: list[list[Span]] = []
        if self._syntax.is_encapsulated:
            extended = self.header.get("ExtendedOffsetTable")
            fragments = Fragments(self._file, self._value.start, self.count)
            self._spans = fragments.frames(extended if isinstance(extended, bytes) else b"")

    def _size(self) -> tuple[int, int]:
        rows, columns = (int(self.header.get(key) or 0) for key in ("Rows", "Columns"))
        if not 0 < rows * columns * self._samples <= MOST_PIXELS or self.count < 1:
            raise UnreadableError(
                f"its Rows, Columns and NumberOfFrames say {rows} x {columns} x {self.count}"
            )
        return rows, columns

    @property
    def _bits_allocated(self) -> int:
        return int(self.header.get("BitsAllocated") or 0)

    @property
    def _bits_stored(self) -> int:
        stored, allocated = int(self.header.get("BitsStored") or 0), self._bits_allocated
        if self._keyword == "PixelData" and not 0 < stored <= allocated:
            raise UnreadableError(f"its BitsStored is {stored} of {allocated} BitsAllocated")
        return stored

    def _unused_below(self) -> int:
        """Bits below the stored ones: High Bit might lie anywhere before 2014, pydicom ignores it.

        Only where pixels are stored as they are, or as bytes (RLE).
        """
        if self._keyword != "PixelData":
            return 0
        if self._syntax.is_encapsulated and self._syntax != RLELossless:
            return 0
        bits, high = self._bits_stored, int(self.header.get("HighBit") or 0)
        return high + 1 - bits if bits <= high < self._bits_allocated else 0

    def _find_pixels(self, implicit: bool) -> None:
        """Read the head of the pixel data; compare their length with what the header describes."""
        order: Literal["big", "little"]
        order = "big" if self._syntax == ExplicitVRBigEndian else "little"
        head = self._file.read(8)
        if len(head) < 8:
            raise UnreadableError("it has no pixels")
        group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
        self._keyword = PIXEL_KEYWORDS[group << 16 | element]
        self._vr = "OW" if implicit else head[4:6].decode("ascii", "replace")
        length = head[4:8] if implicit else self._file.read(4)
        self._value = Span(self._file.tell(), int.from_bytes(length, order))
        if self._syntax.is_encapsulated:
            if self._value.length != UNDEFINED:
                raise UnreadableError(
                    "its PixelData are not in fragments, as its transfer syntax asks"
                )
            return
        values = self._rows * self._columns * self._samples
        if self.header.get("PhotometricInterpretation") == "YBR_FULL_422":
            values = values // 3 * 2
        needed = -(-values * self._bits_allocated * self.count // 8)
        there = min(self._value.length, self._file.seek(0, 2) - self._value.start)
        if there < needed:
            raise UnreadableError(f"its PixelData have {there} bytes, the header means {needed}")

    def _decoded(self, number: int, **options: int) -> np.ndarray:
        if not 1 <= number <= self.count:
            raise UnreadableError(f"it has {counted(self.count, 'frame')}")
        given = as_pixel_options(
            self.header, pixel_keyword=self._keyword, number_of_frames=1, **options
        )
        given.pop("extended_offsets", None)
        try:
            decoder = get_decoder(self._syntax)
        except NotImplementedError:
            raise UnreadableError(f"no decoder for its transfer syntax {self._syntax}") from None
        if self._syntax.is_encapsulated:
            frame = self.encoded(number)
            self._compare(frame)
            given["pixel_vr"] = "OB"
            source: BinaryIO | bytes = encapsulate([frame], has_bot=False)
            index = 0
        else:
            self._file.seek(self._value.start)
            given |= {"number_of_frames": self.count, "pixel_vr": self._vr}
            source, index = self._file, number - 1
        try:
            return np.asarray(decoder.as_array(source, index=index, **given)[0])
        except RuntimeError:  # pydicom's, whatever the decoder raised: was it want of memory?
            np.empty(8 * self._rows * self._columns * self._samples + WORKING_BYTES, np.uint8)
            raise

    def _compare(self, frame: bytes) -> None:
        """Raise unless the encoded `frame` is what the header says it is."""
        header = (self._rows, self._columns, self._samples)
        if self._syntax == RLELossless:
            plane = self._rows * self._columns
            sizes = rle_sizes(frame, 2 * plane)
            count = self._samples * self._bits_allocated // 8
            if len(sizes) != count or not all(plane <= size <= 2 * plane for size in sizes):
                raise UnreadableError(
                    f"its {len(sizes)} RLE segments hold {sizes} bytes,"
                    f" Rows, Columns and BitsAllocated mean {count} of {plane}"
                )
            return
        size = size_of(frame)
        if size[:3] != header:
            said = " x ".join(map(str, size[:3]))
            meant = " x ".join(map(str, header))
            raise UnreadableError(
                f"its codestream says {said} (rows, columns, components),"
                f" Rows, Columns and SamplesPerPixel say {meant}"
            )
        if size.bits > self._bits_allocated:
            raise UnreadableError(
                f"its codestream has {size.bits} bits, BitsAllocated is {self._bits_allocated}"
            )

    def encoded(self, number: int) -> bytes:
        """The codestream of frame `number` as it is stored."""
        pieces = []
        for start, length in self._spans[number - 1]:
            self._file.seek(start)
            pieces.append(self._file.read(length))
        return b"".join(pieces)


def _is_pixel_data(tag: int, vr: str | None, length: int) -> bool:
    return tag in PIXEL_DATA


def _lack(error: BaseException) -> str:
    """Name what the machine lacked."""
    if isinstance(error, OSError):
        return f"the machine says: {error.strerror}"
    return "memory ran out"
