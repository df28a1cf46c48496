"""Take in the DICOM files of a folder; they stay where they are."""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hilum.dicom.part10 import PREAMBLE, SOP_CLASS_UID, has_prefix, meta_group
from hilum.dicom.salvage import may_be_dicom
from hilum.inbox import Inbox, Receipt

INDEX = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage, of DICOMDIR files (PS3.10 8.6)
LONGEST_META = 4096  # bytes of a file that are looked at
OTHERS = {
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundFile:
    """Something below a folder; `problem` says why it is no file that can be read, or is ""."""

    path: Path
    problem: str = ""


def take_in(folder: Path, inbox: Inbox) -> Iterator[Receipt]:
    """Store every DICOM file below `folder` in `inbox`, whatever its name, in order of names.

    DICOMDIR files and what does not begin as a DICOM file are skipped; how many is logged.
    """
    skipped = taken = 0
    for found in files_below(folder):
        try:
            content = b"" if found.problem else found.path.read_bytes()
        except OSError:
            content = b""  # taken away meanwhile
        if not may_be_dicom(content) or is_index(content):
            skipped += 1
            continue
        yield inbox.store(content)
        taken += 1
    logger.info("folder source: %d files taken in, %d skipped as not DICOM", taken, skipped)


def is_index(content: bytes) -> bool:
    """Whether this is the beginning of a DICOMDIR file, which lists others and holds no image."""
    if not has_prefix(content):
        return False
    meta = meta_group(content[:LONGEST_META], len(PREAMBLE))
    return meta.values.get(SOP_CLASS_UID) == INDEX


def files_below(folder: Path) -> Iterator[FoundFile]:
    """Every file below `folder`, or `folder` itself if it is one, in order of names.

    Links are followed, each folder is looked into once. Folders that cannot be opened and what is
    neither file nor folder are given with the reason.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            found = path.stat()
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFDIR and (found.st_dev, found.st_ino) in seen:
                yield FoundFile(path, "a link to a folder that is read already")
            elif kind == stat.S_IFDIR:
                seen.add((found.st_dev, found.st_ino))
                waiting += sorted(path.iterdir(), reverse=True)
            else:
                yield FoundFile(
                    path, "" if kind == stat.S_IFREG else OTHERS.get(kind, "not a file")
                )
        except OSError as error:
            yield FoundFile(path, unreadable(error))


def unreadable(error: OSError) -> str:
    """Why a file or folder cannot be opened, in words and without its name."""
    return f"cannot be opened: {os.strerror(error.errno or 0)}"
