"""Headers as they are read in the gateway: bounded, and a broken element counts as not there."""

import re
import struct
import zlib
from io import BytesIO
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from hilum.dicom.part10 import body
from hilum.dicom.structure import Buffer, Element, Walker
from hilum.errors import UnreadableError

HOSTILE = (  # what pydicom raises on broken bytes, found by fuzzing it
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    EOFError,
    OSError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
IDENTIFYING: dict[str, BaseTag] = {
    keyword: Tag(keyword)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
}
CHARACTER_SET = 0x00080005
LONGEST_CHARACTER_SET = 256  # bytes; each text is tried with each of its values
# Modality LUT, Shared and Per-frame Functional Groups: often too large for a header in memory.
PLACED = (0x00283000, 0x52009229, 0x52009230)
LONGEST_UID = 64  # characters, PS3.5 9.1
UID_FORM = re.compile(rf"[0-9.]{{1,{LONGEST_UID}}}")  # lenient about leading zeros
LARGEST_ELEMENT = 64 << 10  # bytes; what is larger is private, a table or the frames' geometry
LARGEST_INFLATED = 256 << 20  # bytes
LARGEST_HEADER = 512 << 10  # bytes; there may be thousands of headers in memory


class Header(Dataset):
    """A data set whose broken elements read as if they were not there."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except HOSTILE as error:
            raise KeyError(key) from error

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except KeyError as error:
            raise AttributeError(name) from error

    def integer(self, keyword: str) -> int | None:
        """The value as a whole number, or None."""
        try:
            return int(self.get(keyword))
        except HOSTILE:
            return None

    def text(self, keyword: str, longest: int = 64) -> str:
        """The value as printable text of at most `longest` characters, "" if there is none.

        Descriptions have up to 64 characters (PS3.5 6.2). Whatever else a value holds must neither
        fill a record nor act on a terminal.
        """
        try:
            value = self.get(keyword)
            text = "" if value is None else str(value)[:longest]
        except HOSTILE:
            return ""
        return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def text_of(attributes: Dataset, keyword: str) -> str:
    """The value without padding; empty where there is none, or none that can be read."""
    try:
        return str(attributes.get(keyword) or "").strip()
    except HOSTILE:
        return ""


def identify(part10: Buffer) -> dict[str, str]:
    """The four identifying UIDs of a Part 10 file; `UnreadableError` if it has none.

    Looks at every element before the pixel data, so that broken objects are refused at the door.
    """
    offset, syntax = body(part10)
    if syntax == DeflatedExplicitVRLittleEndian:
        # A few megabytes can grow to gigabytes; nobody in imaging sends it.
        raise UnreadableError("Deflated Explicit VR Little Endian is not taken in")
    return uids_of(part10, elements_of(part10, offset, syntax))


class Headers(NamedTuple):
    """What is read of a file: its UIDs by keyword, its header, and where large parts of it lie.

    `places` holds the begin and end of the value of each element of `PLACED`; none for a deflated
    file.
    """

    uids: dict[str, str]
    header: Header
    transfer_syntax: str
    places: dict[int, tuple[int, int]]


def read_header(part10: Buffer) -> Headers:
    """The identifying UIDs, and every element but the pixel data and very large ones.

    Raises `UnreadableError` if this is no DICOM object that identifies itself.
    """
    offset, syntax = body(part10)
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    if is_deflated:
        part10, offset = inflated(part10[offset:]), 0
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    elements = elements_of(part10, offset, syntax)
    uids = uids_of(part10, elements)
    kept = bytearray()
    places = {}
    for element in elements:
        if element.tag in PLACED and not is_deflated:
            places[element.tag] = (element.value, element.end)
        content = part10[element.start : min(element.end, element.start + LARGEST_ELEMENT + 1)]
        # Every text is read by the character set: a broken one must not make all of them so.
        odd = element.tag == CHARACTER_SET and _is_odd_character_set(content, implicit)
        fits = len(content) <= LARGEST_ELEMENT and len(kept) + len(content) <= LARGEST_HEADER
        if fits and not odd:
            kept += content
    try:
        read = read_dataset(BytesIO(kept), implicit, little)
        header = Header(read)
        header.set_original_encoding(implicit, little, read.original_character_set)
    except HOSTILE as error:
        raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
    return Headers(uids, header, syntax, places)


def _is_odd_character_set(content: bytes, implicit: bool) -> bool:
    return len(content) > LONGEST_CHARACTER_SET or (not implicit and content[4:6] != b"CS")


def inflated(compressed: bytes) -> bytes:
    """A deflated data set, which may become `LARGEST_INFLATED` bytes; else `UnreadableError`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(compressed, LARGEST_INFLATED)
    except zlib.error as error:
        raise UnreadableError("not a readable DICOM object: it cannot be inflated") from error
    if inflater.unconsumed_tail:
        raise UnreadableError(f"it inflates to more than {LARGEST_INFLATED} bytes")
    return content


def elements_of(content: Buffer, offset: int, syntax: str) -> list[Element]:
    """The elements of the data set at `offset` before its pixel data; raises `UnreadableError`."""
    try:
        return list(Walker(content, offset, syntax).elements())
    except UnreadableError as error:
        raise UnreadableError(f"not a readable DICOM object: {error}") from None


def uids_of(part10: Buffer, elements: list[Element]) -> dict[str, str]:
    """The four identifying UIDs by keyword; `UnreadableError` if one is missing or is none."""
    place = {element.tag: element for element in elements}
    uids = {}
    for keyword, tag in IDENTIFYING.items():
        if found := place.get(tag):
            value = part10[found.value : min(found.end, found.value + 128)]
            uids[keyword] = value.decode("ascii", "replace").rstrip("\0 ")
    missing = [keyword for keyword in IDENTIFYING if not uids.get(keyword)]
    if missing:
        raise UnreadableError(f"the object has no {', '.join(missing)}")
    broken = [keyword for keyword, uid in uids.items() if not UID_FORM.fullmatch(uid)]
    if broken:  # its value may be anything, so it is not shown
        long = all(len(uids[keyword]) > LONGEST_UID for keyword in broken)
        why = f"longer than {LONGEST_UID} characters" if long else "not a UID"
        raise UnreadableError(f"{why}: {', '.join(broken)}")
    return uids
