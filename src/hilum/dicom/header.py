"""Headers as they are read in the gateway: bounded, and a broken element counts as not there."""

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
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
from hilum.dicom.text import character_set, is_valid
from hilum.dicom.uids import LONGEST_UID, is_uid
from hilum.errors import UnreadableError
from hilum.wording import printable

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
REQUIRED_UIDS: dict[str, BaseTag] = {
    keyword: Tag(keyword)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
}
CHARACTER_SET = 0x00080005
# Modality LUT, Shared and Per-frame Functional Groups: often too large for a header in memory.
PLACED = (0x00283000, 0x52009229, 0x52009230)
TEXT_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))  # of PS3.5 6.1.2.3
STRING_VRS = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
LARGEST_ELEMENT = 64 << 10  # bytes; what is larger is private, a table or the frames' geometry
LONGEST_NAMES = 256  # bytes of a Specific Character Set
LARGEST_INFLATED = 256 << 20  # bytes
LARGEST_HEADER = 512 << 10  # bytes; there may be thousands of headers in memory


class Header(Dataset):
    """A data set whose broken elements read as if they were not there.

    `is_assumed` says that its texts fit no character set that was declared or can be recognised.
    """

    is_assumed = False

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

    def uid(self, keyword: str) -> str:
        """The value if it is a valid UID (PS3.5 9.1), else ""."""
        stated = text_of(self, keyword)
        return stated if is_valid("UI", stated) else ""

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
        return printable(text)


def text_of(attributes: Dataset, keyword: str) -> str:
    """The value without padding; empty where there is none, or none that can be read."""
    try:
        value = attributes.get(keyword)
        if value is None:
            return ""
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        return text.strip("\0 \t\r\n")
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
    declared, places, room = b"", {}, LARGEST_HEADER
    runs: list[tuple[int, int]] = []  # of bytes to be kept; neighbours are one
    for tag, start, value, end in elements:
        if tag in PLACED and not is_deflated:
            places[tag] = (value, end)
        size = end - start
        if tag == CHARACTER_SET:
            declared = part10[value : min(end, value + LONGEST_NAMES)]
        elif size <= min(LARGEST_ELEMENT, room):
            room -= size
            first = runs.pop()[0] if runs and runs[-1][1] == start else start
            runs.append((first, end))
    kept = b"".join(part10[start:end] for start, end in runs)
    try:
        read = read_dataset(BytesIO(kept), implicit, little)
        header = _understood(read, declared, implicit, little)
    except HOSTILE as error:
        raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
    return Headers(uids, header, syntax, places)


def _understood(read: Dataset, declared: bytes, implicit: bool, little: bool) -> Header:
    """The elements of `read`, strings by the VR of the dictionary and the letters they are in.

    Values of other VRs, such as numbers, can only be read by the VR that they were written in.
    """
    header = Header(read)
    texts = []
    for element in list(read.values()):
        if not isinstance(element, RawDataElement):
            continue
        tag, stated, _, value, *_ = element
        vr = _vr(int(tag), stated)
        if vr != stated and stated in STRING_VRS:
            header[tag] = element._replace(VR=vr)
        if vr in TEXT_VRS and isinstance(value, bytes):
            texts.append(value)
    characters = character_set(declared, texts)
    header.set_original_encoding(implicit, little, list(characters.encodings))
    header.is_assumed = characters.is_assumed
    if characters.terms:
        value = "\\".join(characters.terms).encode()
        tag = BaseTag(CHARACTER_SET)
        header[tag] = RawDataElement(tag, "CS", len(value), value, 0, implicit, little)
    return header


@lru_cache(maxsize=4096)
def _vr(tag: int, stated: str | None) -> str | None:
    """By which VR a value is read that states `stated`, None where the VR is implicit."""
    known = dictionary_VR(tag) if dictionary_has_tag(tag) else stated
    return known if stated is None or {stated, known} <= STRING_VRS else stated


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
    for keyword, tag in REQUIRED_UIDS.items():
        if found := place.get(tag):
            value = part10[found.value : min(found.end, found.value + 128)]
            uids[keyword] = value.decode("ascii", "replace").rstrip("\0 ")
    missing = [keyword for keyword in REQUIRED_UIDS if not uids.get(keyword)]
    if missing:
        raise UnreadableError(f"the object has no {', '.join(missing)}")
    _require_uids(uids)
    return uids


def _require_uids(uids: Mapping[str, str]) -> None:
    broken = [keyword for keyword, uid in uids.items() if not is_uid(uid)]
    if broken:  # its value may be anything, so it is not shown
        long = all(len(uids[keyword]) > LONGEST_UID for keyword in broken)
        why = f"longer than {LONGEST_UID} characters" if long else "not a UID"
        raise UnreadableError(f"{why}: {', '.join(broken)}")
