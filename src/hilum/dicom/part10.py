"""The DICOM file format around a data set (PS3.10 7.1), written and read without decoding it."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from pydicom.dataset import Dataset

from hilum.dicom.structure import Buffer
from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hilum.errors import UnreadableError

PREAMBLE = b"\0" * 128 + b"DICM"
SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID = 0x0002, 0x0003, 0x0010
LONG_VRS = (b"OB", b"UN")  # the ones of group 2 whose length takes four bytes
LONGEST_VALUE = 128  # bytes of an element of group 2 that are looked at


class Body(NamedTuple):
    """Where the data set of a file starts, and its Transfer Syntax UID."""

    offset: int
    transfer_syntax: str


@dataclass(frozen=True)
class Meta:
    """The file meta group: where it ends, and the texts of its elements by element number."""

    end: int
    values: Mapping[int, str]


def prefix(sop_class: str, sop_instance: str, transfer_syntax: str, source: str = "") -> bytes:
    """Preamble and file meta group for a data set, received from AE title `source` if from any."""
    elements = (
        struct.pack("<HH2s2xL", 2, 0x0001, b"OB", 2)
        + b"\0\1"
        + _element(0x0002, b"UI", sop_class)
        + _element(0x0003, b"UI", sop_instance)
        + _element(TRANSFER_SYNTAX_UID, b"UI", transfer_syntax)
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
        + (_element(0x0016, b"AE", source) if source else b"")
    )
    return PREAMBLE + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def as_file(dataset: Dataset) -> bytes:
    """`dataset`, which has its file meta group, as a file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def body(part10: Buffer) -> Body:
    """Find the data set; raise `UnreadableError` if this is not a file with a file meta group."""
    if not has_prefix(part10) or part10[132:134] != b"\2\0":
        raise UnreadableError("not a DICOM file: no prefix or no file meta group")
    meta = meta_group(part10, len(PREAMBLE))
    syntax = meta.values.get(TRANSFER_SYNTAX_UID)
    if not syntax:
        raise UnreadableError("not a DICOM file: no Transfer Syntax UID")
    return Body(meta.end, syntax)


def has_prefix(content: Buffer) -> bool:
    """Whether the preamble and the letters DICM are there (PS3.10 7.1)."""
    return content[128:132] == b"DICM"


def meta_group(content: Buffer, position: int) -> Meta:
    """The file meta group that begins at `position`; it is empty if another group begins there.

    The group ends where another begins, whatever length it claims to have.
    """
    values = {}
    while content[position : position + 2] == b"\2\0" and position + 8 <= len(content):
        _, element, vr, length = struct.unpack_from("<HH2sH", content, position)
        position += 8
        if vr in LONG_VRS:
            length = int.from_bytes(content[position : position + 4], "little")
            position += 4
        value = content[position : position + min(length, LONGEST_VALUE)]
        values[element] = value.rstrip(b"\0 ").decode("ascii", "replace")
        position += length
    return Meta(min(position, len(content)), values)


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
