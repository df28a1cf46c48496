"""The DICOM file format around a data set (PS3.10 7.1), written and read without decoding it."""

import struct
from io import BytesIO
from typing import NamedTuple

from pydicom.dataset import Dataset

from hilum.dicom.structure import Buffer
from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hilum.errors import UnreadableError

PREAMBLE = b"\0" * 128 + b"DICM"
TRANSFER_SYNTAX_UID = 0x0010
LONG_VRS = (b"OB", b"UN")  # the ones of group 2 whose length takes four bytes


class Body(NamedTuple):
    """Where the data set of a file starts, and its Transfer Syntax UID."""

    offset: int
    transfer_syntax: str


def prefix(sop_class: str, sop_instance: str, transfer_syntax: str, source: str) -> bytes:
    """Preamble and file meta group for a data set received from AE title `source`."""
    elements = (
        struct.pack("<HH2s2xL", 2, 0x0001, b"OB", 2)
        + b"\0\1"
        + _element(0x0002, b"UI", sop_class)
        + _element(0x0003, b"UI", sop_instance)
        + _element(TRANSFER_SYNTAX_UID, b"UI", transfer_syntax)
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
        + _element(0x0016, b"AE", source)
    )
    return PREAMBLE + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def as_file(dataset: Dataset) -> bytes:
    """`dataset`, which has its file meta group, as a file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def body(part10: Buffer) -> Body:
    """Find the data set; raise `UnreadableError` if this is not a file with a file meta group.

    The group ends where another begins, whatever length it claims to have.
    """
    if part10[128:132] != b"DICM" or part10[132:134] != b"\2\0":
        raise UnreadableError("not a DICOM file: no prefix or no file meta group")
    syntax = ""
    position = len(PREAMBLE)
    while part10[position : position + 2] == b"\2\0" and position + 8 <= len(part10):
        _, element, vr, length = struct.unpack_from("<HH2sH", part10, position)
        position += 8
        if vr in LONG_VRS:
            length = int.from_bytes(part10[position : position + 4], "little")
            position += 4
        if element == TRANSFER_SYNTAX_UID:
            value = part10[position : position + min(length, 64)]
            syntax = value.rstrip(b"\0 ").decode("ascii", "replace")
        position += length
    if not syntax:
        raise UnreadableError("not a DICOM file: no Transfer Syntax UID")
    return Body(min(position, len(part10)), syntax)


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
