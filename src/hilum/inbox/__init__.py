"""The durable inbox: when `store` returns, the instance is on disk and fsynced.

One folder per study. File names are hashes of UIDs, so neither hostile UIDs nor patient data ever
become a path. Nothing here needs a database: the inbox is the truth, every index is made from it.
Several threads and processes may store at the same time.
"""

import errno
import hashlib
import heapq
import itertools
import os
import threading
import time
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.dicom.doubt import FORMER
from hilum.errors import UnreadableError
from hilum.inbox.growing import Growing, mapped
from hilum.privacy import make_private

if TYPE_CHECKING:
    from hilum.dicom.structure import Buffer

ABANDONED_AFTER = 3600.0  # seconds; a partial file this old belongs to a process that was killed
OTHER_CONTENT = "SOP Instance UID received again with other content"
OTHER_INSTANCE = "the request and the data set name different SOP instances"
OTHER_CLASS = "the request and the data set name different SOP classes"
SEND_AGAIN = (
    "have it sent again; if it comes the same way, show the file to the maker of the sender; then "
    "delete the file"
)
CORRECT_SENDER = (
    "correct the sender, which mixes objects up, and have it send again; then delete the file"
)
ADVICE = {
    OTHER_CONTENT: "the first one was kept: compare both; if this is the right one, have it sent "
    "under a new SOP Instance UID; then delete the file",
    FORMER: "there is nothing to do: the corrected images stay; if they are wrong, `hilum decide "
    "STUDY` goes back",
    OTHER_INSTANCE: CORRECT_SENDER,
    OTHER_CLASS: CORRECT_SENDER,
}
REMOVED = "removed"  # folder of the lists that `hilum.inbox.removed` keeps
MOST_RACES = 100
PIECE = 1 << 20  # bytes; large objects are compared piece by piece
_serial = itertools.count()


class Intake(Enum):
    """What became of an object handed to the inbox."""

    STORED = "stored"  # new, durable
    DUPLICATE = "duplicate"  # the same bytes were here already
    QUARANTINED = "quarantined"  # kept apart: unreadable, or same UID with other content


@dataclass(frozen=True)
class Receipt:
    """Where an object went, and why it was quarantined, or what of its file was put right."""

    outcome: Intake
    path: Path
    study_uid: str = ""
    reason: str = ""


@dataclass(frozen=True)
class QuarantinedObject:
    """An object in quarantine: where, since when (epoch seconds), why, from whom, of which study.

    What is not known is "".
    """

    path: Path
    at: float
    reason: str
    sender: str
    study_uid: str

    @property
    def advice(self) -> str:
        """What a person is to do about it."""
        stated = (advice for reason, advice in ADVICE.items() if self.reason.startswith(reason))
        return next(stated, SEND_AGAIN)


class Inbox:
    """Folder of received studies below `root`: `incoming/<study>/<instance>.dcm`, `quarantine/`."""

    def __init__(self, root: Path) -> None:
        self.incoming = root / "incoming"
        self.quarantine_folder = root / "quarantine"
        self._partial = root / "partial"
        make_private(root)
        for folder in (self.incoming, self.quarantine_folder, self._partial, root / REMOVED):
            folder.mkdir(parents=True, exist_ok=True)
        sync_folder(root)
        self._durable_folders: dict[Path, int] = {}  # inode numbers: one may be made anew
        _remove_abandoned(self._partial)

    def store(self, part10: bytes, sender: str = "") -> Receipt:
        """Keep one file, put right as `readable` does; `OSError` (disk full) leaves no part behind.

        `sender` is who gave it to us, in a word for a person.
        """
        from hilum.dicom.salvage import readable  # who only looks into the inbox needs no pydicom

        try:
            file = readable(part10)
        except UnreadableError as error:
            return self.quarantine(part10, str(error), sender)
        stored = self.keep(file.part10(part10), file.uids, sender)
        return replace(stored, reason=stored.reason or file.mended)

    def grow(self, before: bytes, low_water_mb: int) -> Growing:
        """A file for an object that is too large for memory; it begins with `before`."""
        growing = Growing(_partial_name(self._partial, Path("large")), low_water_mb)
        try:
            growing.write(before)
        except OSError:
            growing.discard()
            raise
        return growing

    def keep(
        self,
        part10: "Buffer",
        uids: dict[str, str],
        sender: str = "",
        growing: Growing | None = None,
    ) -> Receipt:
        """Like `store`, for a file that is known to be one and to have these `uids`.

        `growing` is where `part10` lies already if it is large.
        """
        for _ in range(MOST_RACES):
            try:
                outcome, path = self._keep(part10, uids, growing)
            except FileNotFoundError:
                continue  # a rule removed it, or its folder, at this very moment: it is new again
            if outcome is Intake.QUARANTINED:
                study_uid = uids["StudyInstanceUID"]
                return self.quarantine(part10, OTHER_CONTENT, sender, study_uid, growing)
            return Receipt(outcome, path, uids["StudyInstanceUID"])
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _keep(
        self, part10: "Buffer", uids: dict[str, str], growing: Growing | None
    ) -> tuple[Intake, Path]:
        """Give a file its name, or compare it with the file that has the name already."""
        folder = self._durable_folder(uids["StudyInstanceUID"])
        path = folder / f"{digest(uids['SOPInstanceUID'])}.dcm"
        if not path.exists() and self._publish(path, part10, growing):
            return Intake.STORED, path
        with mapped(path) as before:
            is_same = is_same_object(before, part10)
        if not is_same:
            return Intake.QUARANTINED, path
        # The copy may be another association's, not yet durable: ours must be when we answer.
        sync_file(path)
        sync_folder(folder)
        return Intake.DUPLICATE, path

    def quarantine(
        self,
        content: "Buffer",
        reason: str,
        sender: str = "",
        study_uid: str = "",
        growing: Growing | None = None,
    ) -> Receipt:
        """Keep `content` in quarantine with a note beside it; the same content only once."""
        name = hashlib.sha256(content).hexdigest()[:32]
        path = self.quarantine_folder / f"{name}.dcm"
        note = path.with_suffix(".txt")
        text = "\n".join((reason, " ".join(sender.split()), study_uid))
        write_durably(note, text.encode(), by_way_of=self._partial)
        try:
            self._publish(path, content, growing)
        except OSError:
            note.unlink(missing_ok=True)
            raise
        return Receipt(Intake.QUARANTINED, path, study_uid, reason)

    def study_folder(self, study_uid: str) -> Path:
        """The folder that holds every instance of `study_uid`."""
        return self.incoming / digest(study_uid)

    def path_of(self, study_uid: str, sop_instance_uid: str) -> Path:
        """Where an instance lies if it is here."""
        return self.study_folder(study_uid) / f"{digest(sop_instance_uid)}.dcm"

    def _durable_folder(self, study_uid: str) -> Path:
        folder = self.study_folder(study_uid)
        known = self._durable_folders.get(folder)
        if known is None or not folder.exists() or folder.stat().st_ino != known:
            # Existing is not enough: whoever made it may not have synced its parent yet.
            folder.mkdir(exist_ok=True)
            sync_folder(self.incoming)
            self._durable_folders[folder] = folder.stat().st_ino
        return folder

    def _publish(self, path: Path, content: "Buffer", growing: Growing | None) -> bool:
        """Write `path` durably unless it exists; a hard link never replaces another's file."""
        partial = growing.path if growing else _partial_name(self._partial, path)
        try:
            if growing:
                sync_file(partial)
            else:
                _write_synced(partial, content)
            os.link(partial, path)
        except FileExistsError:
            return False
        finally:
            if not growing:
                partial.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True


def quarantined_in(root: Path, newest: int, skip: int = 0) -> tuple[int, list[QuarantinedObject]]:
    """How many objects are in quarantine below `root`, and the `newest` of them, latest first.

    `skip` leaves out as many of the latest, for pages.
    """
    folder = root / "quarantine"
    notes = [(path.stat().st_mtime, path) for path in folder.glob("*.txt")]
    listed = []
    for at, path in heapq.nlargest(skip + newest, notes)[skip:]:
        reason, sender, study_uid = (*path.read_text().split("\n"), "", "")[:3]
        listed.append(QuarantinedObject(path.with_suffix(".dcm"), at, reason, sender, study_uid))
    return len(notes), listed


def restate(item: QuarantinedObject, reason: str) -> None:
    """Write a new reason why an object is quarantined."""
    if item.path.exists():  # else a rule has removed it
        text = "\n".join((reason, item.sender, item.study_uid))
        write_durably(item.path.with_suffix(".txt"), text.encode())


def digest(uid: str) -> str:
    """File name for `uid`: says nothing, always fits, cannot leave its folder."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def write_durably(
    path: Path, content: bytes, *, by_way_of: Path | None = None, mode: int | None = None
) -> None:
    """Write `content` so that it is whole under its name, or not there at all, even after a crash.

    `by_way_of` is the folder, on the same file system, that holds the file while it grows. `mode`
    is for files that others collect; all else is its owner's.
    """
    partial = _partial_name(by_way_of or path.parent, path)
    try:
        _write_synced(partial, content)
        if mode is not None:
            partial.chmod(mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_once(path: Path, content: bytes) -> bool:
    """Write `content` durably, for its owner alone, unless there is a file; False if there is one.

    Several processes may do so at once: one of them makes it, and nobody reads a half of it.
    """
    made = _partial_name(path.parent, path)
    try:
        made.touch(mode=0o600)
        _write_synced(made, content)
        os.link(made, path)
    except FileExistsError:
        return False
    finally:
        made.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def sync_file(path: Path) -> None:
    """Sync the content of `path` to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file  # a folder's names are its content


def _write_synced(path: Path, content: "Buffer") -> None:
    with path.open("wb", buffering=0) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def _partial_name(folder: Path, path: Path) -> Path:
    return folder / f".{path.name}.{os.getpid()}-{threading.get_ident()}-{next(_serial)}.part"


def _remove_abandoned(folder: Path) -> None:
    for partial in folder.iterdir():
        try:
            if time.time() - partial.stat().st_mtime > ABANDONED_AFTER:
                partial.unlink()
        except FileNotFoundError:
            continue  # another process was quicker


def is_same_object(one: "Buffer", other: "Buffer") -> bool:
    """Whether two Part 10 files hold the same data set; each sender writes what is before it."""
    from hilum.dicom.part10 import body

    here, there = body(one).offset, body(other).offset
    size = len(one) - here
    return size == len(other) - there and all(
        one[here + n : here + n + PIECE] == other[there + n : there + n + PIECE]
        for n in range(0, size, PIECE)
    )
