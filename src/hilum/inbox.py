"""The durable inbox: when `store` returns, the instance is on disk and fsynced.

One folder per study. File names are hashes of UIDs, so neither hostile UIDs nor patient data ever
become a path. Nothing here needs a database: the inbox is the truth, every index is made from it.
"""

import hashlib
import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from hilum.dicom.instance import IDENTIFYING
from hilum.errors import UnreadableError


class Outcome(Enum):
    """What became of an object handed to the inbox."""

    STORED = "stored"  # new, durable
    DUPLICATE = "duplicate"  # the same bytes were here already
    QUARANTINED = "quarantined"  # kept apart: unreadable, or same UID with other content


@dataclass(frozen=True)
class Stored:
    """Where an object went, and why it was set apart if it was."""

    outcome: Outcome
    path: Path
    study_uid: str = ""
    reason: str = ""


class Inbox:
    """Folder of received studies below `root`: `incoming/<study>/<instance>.dcm`, `quarantine/`."""

    def __init__(self, root: Path) -> None:
        self.incoming = root / "incoming"
        self.quarantine = root / "quarantine"
        for folder in (self.incoming, self.quarantine):
            folder.mkdir(parents=True, exist_ok=True)

    def store(self, part10: bytes) -> Stored:
        """Keep one DICOM Part 10 file. `OSError` (disk full) leaves no partial file behind."""
        try:
            uids = identify(part10)
        except UnreadableError as error:
            return self.set_apart(part10, str(error))
        folder = self.study_folder(uids["StudyInstanceUID"])
        path = folder / f"{_digest(uids['SOPInstanceUID'])}.dcm"
        if path.exists():
            if _body(path.read_bytes()) == _body(part10):
                return Stored(Outcome.DUPLICATE, path, uids["StudyInstanceUID"])
            return self.set_apart(part10, "SOP Instance UID received again with other content")
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            _sync_folder(self.incoming)
        write_durably(path, part10)
        return Stored(Outcome.STORED, path, uids["StudyInstanceUID"])

    def set_apart(self, content: bytes, reason: str) -> Stored:
        """Keep `content` in quarantine with the reason beside it."""
        name = f"{time.time_ns()}-{hashlib.sha256(content).hexdigest()[:12]}"
        path = self.quarantine / f"{name}.dcm"
        write_durably(self.quarantine / f"{name}.txt", reason.encode())
        write_durably(path, content)
        return Stored(Outcome.QUARANTINED, path, reason=reason)

    def study_folder(self, study_uid: str) -> Path:
        """The folder that holds every instance of `study_uid`."""
        return self.incoming / _digest(study_uid)


def identify(part10: bytes) -> dict[str, str]:
    """The four identifying UIDs of a Part 10 file, reading no further than it must."""
    try:
        from io import BytesIO

        header = pydicom.dcmread(
            BytesIO(part10), stop_before_pixels=True, specific_tags=list(IDENTIFYING)
        )
        uids = {keyword: str(header.get(keyword) or "") for keyword in IDENTIFYING}
    except (InvalidDicomError, ValueError, EOFError, OSError, RecursionError, KeyError) as error:
        raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
    missing = [keyword for keyword, uid in uids.items() if not uid]
    if missing:
        raise UnreadableError(f"the object has no {', '.join(missing)}")
    return uids


def write_durably(path: Path, content: bytes) -> None:
    """Write `content` so that it is whole under its name, or not there at all, even after a crash."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _body(part10: bytes) -> bytes:
    """The data set without preamble and file meta group, which each sender writes anew."""
    length = int.from_bytes(part10[140:144], "little") if part10[132:136] == b"\x02\0\0\0" else 0
    return part10[144 + length :] if length else part10
