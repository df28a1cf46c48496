"""What a ZIP archive holds, read within bounds. Its names and paths are never used.

Whatever the archive says of itself, nothing is believed: sizes are counted while it is unpacked,
and how many entries there are is looked up before Python's `zipfile` makes an object of each.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import UploadError
from hilum.wording import counted

PIECE = 1 << 20  # bytes that are unpacked at one time
ARCHIVE = (b"PK\3\4", b"PK\5\6")  # how a ZIP archive begins, also an empty one (APPNOTE 4.3)
OTHER_KINDS = {  # how archives begin that are not read
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
}
READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
END, END_64 = b"PK\5\6", b"PK\6\6"  # of the central directory (APPNOTE 4.3.16, 4.3.14)
END_BYTES, LONGEST_COMMENT = 22, 1 << 16
IN_END_64 = 0xFFFFFFFF  # a size that stands in the other record
ENTRY_BYTES = 1024  # of the directory for one entry, with its name; more of it is no honest archive
EXPANSION = 100  # times its size, that a whole archive may become
SMALL = 256 << 20  # bytes that any archive may become
DAMAGED = "it is damaged inside the archive"
CUT_OFF = "the archive is cut off or damaged: make it anew"


@dataclass(frozen=True)
class UploadBounds:
    """What one upload may have.

    Attributes
    ----------
    bytes
        Of all files, as they come and as they are unpacked.
    files
        How many.
    low_water_mb
        MiB of the disk that stay free.
    """

    bytes: int
    files: int
    low_water_mb: int

    @property
    def too_many(self) -> str:
        """Why no more files are taken."""
        return f"these are more than {counted(self.files, 'file')}: upload them in parts"

    @property
    def too_large(self) -> str:
        """Why no more bytes are taken."""
        return f"this is more than {self.bytes / (1 << 30):.3g} GiB: upload it in parts"


@dataclass(frozen=True)
class Entry:
    """One file of an archive: its bytes, or why it cannot be read."""

    pieces: Iterator[bytes]
    problem: str = ""


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP archive."""
    return head.startswith(ARCHIVE)


def other_kind(head: bytes) -> str:
    """The name of the kind of archive, not ZIP, that begins so; "" if it is none."""
    if head[257:262] == b"ustar":
        return "tar"
    return next((name for magic, name in OTHER_KINDS.items() if head.startswith(magic)), "")


def entries_of(path: Path, bounds: UploadBounds) -> Iterator[Entry]:
    """The files in an archive, in its order; what is read of one is read before the next.

    Raises
    ------
    UploadError
        It is no archive that can be read, or there is too much in it.
    """
    _require_few(path, bounds)
    unpacked = _Unpacked(max(SMALL, EXPANSION * path.stat().st_size))
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.filename.endswith("/"):  # `is_dir` fails without any name
                    problem = _problem(info)
                    pieces = iter(()) if problem else _pieces(archive, info, unpacked)
                    yield Entry(pieces, problem)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise UploadError(CUT_OFF) from error


def _problem(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "it is encrypted: unpack the archive with its password, and upload the files"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, not a file"
    if info.compress_type not in READ_METHODS:
        return "it is packed by a method that is not read: make the archive anew, with Deflate"
    return ""


class UnreadableEntry(Exception):  # noqa: N818 - it never leaves this package
    """One file of an archive cannot be read to its end; the others may."""


@dataclass
class _Unpacked:
    """How much has come out of an archive, and how much may."""

    most: int
    bytes: int = 0

    def add(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.most:
            text = f"it becomes more than {EXPANSION} times as large when it is unpacked"
            raise UploadError(f"the archive is not read further: {text}")


def _pieces(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, unpacked: _Unpacked
) -> Iterator[bytes]:
    try:
        with archive.open(info) as stream:
            while piece := stream.read(PIECE):
                unpacked.add(len(piece))
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UnreadableEntry(DAMAGED) from error


def _require_few(path: Path, bounds: UploadBounds) -> None:
    """Raise `UploadError` if the central directory is too large, or there is none at the end."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
        tail = file.read()
        at = tail.rfind(END)
        if at < 0 or len(tail) - at < END_BYTES:
            raise UploadError(CUT_OFF)
        entries, directory = struct.unpack_from("<HL", tail, at + 10)
        if directory == IN_END_64 or entries == 0xFFFF:
            before = tail.rfind(END_64, 0, at)
            if before < 0 or at - before < 56:
                raise UploadError(CUT_OFF)
            entries, directory = struct.unpack_from("<QQ", tail, before + 32)
    if entries > bounds.files or directory > ENTRY_BYTES * bounds.files:
        raise UploadError(bounds.too_many)
