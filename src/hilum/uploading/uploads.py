"""The uploads of one console: what is handed over is written to the disk, and read elsewhere.

A file is first written below `uploads/` of the data folder, as it comes, in pieces. Then a process
of its own reads it (`child`), and it is deleted. So no study is ever in the memory of the console,
and no byte of it is interpreted there.
"""

import logging
import os
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import ValidationError

from hilum.audit.auditor import AuditedPerson
from hilum.errors import HilumError, UploadError
from hilum.hints import Aborted, HintSender, Released, gateway_address
from hilum.inbox.room import require_room
from hilum.logs import going_on
from hilum.privacy import make_private
from hilum.process import fork_server
from hilum.uploading import child
from hilum.uploading.archive import UploadBounds
from hilum.uploading.intake import CALLER
from hilum.uploading.talk import MESSAGE, FateCount, FileFate, NewStudy, Told, of_fate
from hilum.uploading.wall import UPLOADS

MOST_OPEN = 4  # at one time; each may have a process
MOST_KEPT = 100  # that are over and can still be looked at
SILENT_SECONDS = 300.0  # without a byte from the browser, until an upload is given up
STUCK_SECONDS = 120.0  # without a sign of life from the process that reads
END_SECONDS = 5.0  # for that process to end in order
LOOK_SECONDS = 1.0
ROOM_STEP = 64 << 20  # bytes after which the disk is asked for room again
ABORTED = "it was ended before all files had come"

log = logging.getLogger(__name__)


class UploadState(StrEnum):
    """How far an upload is."""

    COMING = "coming"  # files still come from the browser
    READING = "reading"  # all have come, and are taken in
    DONE = "taken in"
    STOPPED = "stopped"  # before its end; what was accepted stays

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self in (UploadState.DONE, UploadState.STOPPED)


@dataclass(frozen=True)
class UploadWish:
    """Who uploads, and where results are to go; without destinations they stay here."""

    person: AuditedPerson
    destinations: tuple[str, ...] = ()
    images: bool = False


@dataclass
class Upload:
    """One upload. Its thread is the only one that changes `state`, `problem` and `told`."""

    number: str
    wish: UploadWish
    folder: Path
    bounds: UploadBounds
    began: float
    state: UploadState = UploadState.COMING
    problem: str = ""
    told: Told = field(default_factory=Told)
    received_files: int = 0
    received_bytes: int = 0
    studies: list[str] = field(default_factory=list)  # UIDs
    by_rules: list[str] = field(default_factory=list)  # those of them that were here before
    heard: float = field(default_factory=time.monotonic)
    waiting: "queue.SimpleQueue[Path | None]" = field(default_factory=queue.SimpleQueue)
    abort_reason: str = ""

    @contextmanager
    def receiving(self) -> Iterator["ArrivingFile"]:
        """A file that comes from the browser; at the end of the block it is whole, and is read.

        What is not whole, because of an error in the block, is deleted.
        """
        if self.state is not UploadState.COMING:
            raise UploadError(self.problem or "this upload has ended: begin another one")
        if self.received_files >= self.bounds.files:
            raise UploadError(self.bounds.too_many)
        self.received_files += 1
        path = self.folder / f"{self.received_files}"
        try:
            with path.open("xb", buffering=0) as file:
                yield ArrivingFile(self, file)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, UploadError):
                self.abort(str(error))
            raise
        self.waiting.put(path)

    def finish(self) -> None:
        """All files have come."""
        if self.state is UploadState.COMING:
            self.state = UploadState.READING
            self.waiting.put(None)

    def abort(self, reason: str = ABORTED) -> None:
        """End it now, for the first reason that is given; what was accepted stays."""
        self.abort_reason = self.abort_reason or reason
        self.waiting.put(None)

    @property
    def owner(self) -> str:
        """Who has begun it, for sure."""
        return self.wish.person.identity

    def fates(self, fate: FileFate) -> int:
        """How many files had a fate."""
        return of_fate(self.told.fates, fate)

    @property
    def troubles(self) -> list[FateCount]:
        """The files that were not accepted, counted by why, the most frequent ones first."""
        others = [count for count in self.told.fates if count.fate is not FileFate.ACCEPTED]
        return sorted(others, key=lambda count: (count.fate, -count.files))


@dataclass
class ArrivingFile:
    """A file that is written as it comes."""

    upload: Upload
    file: BinaryIO
    unasked: int = ROOM_STEP  # bytes since the disk was asked for room

    def write(self, piece: bytes) -> None:
        """Append `piece`; `UploadError` if it is too much, or the disk has too little room."""
        upload = self.upload
        if upload.state is not UploadState.COMING or upload.abort_reason:
            raise UploadError(upload.problem or upload.abort_reason or ABORTED)
        upload.heard = time.monotonic()
        upload.received_bytes += len(piece)
        if upload.received_bytes > upload.bounds.bytes:
            raise UploadError(upload.bounds.too_large)
        self.unasked += len(piece)
        try:
            if self.unasked > ROOM_STEP:
                require_room(upload.folder, upload.bounds.low_water_mb)
                self.unasked = 0
            view = memoryview(piece)
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            raise UploadError(child.NO_ROOM) from error


class Doorkeeper(Protocol):
    """Knows which studies an upload may bring."""

    def admit(self, upload: Upload, study: NewStudy, /) -> None:
        """Let a study in before its first image is stored, or raise `HilumError`."""

    def forget_unused(self) -> None:
        """Forget the studies that were let in, and of which no image was stored."""


class Uploads:
    """All uploads since this console started, below `data`; `door` lets their studies in."""

    def __init__(self, data: Path, door: Doorkeeper) -> None:
        self._data = data
        self._door = door
        self._lock = threading.Lock()
        self._all: dict[str, Upload] = {}

    def tidy(self) -> None:
        """Delete what a console had begun that was killed; to be called before the first upload."""
        shutil.rmtree(self._data / UPLOADS, ignore_errors=True)
        with going_on("uploads", log):
            self._door.forget_unused()

    def begin(self, wish: UploadWish, bounds: UploadBounds) -> Upload:
        """Begin an upload within `bounds`; `UploadError` if too many are under way."""
        with self._lock:
            if sum(not one.state.is_over for one in self._all.values()) >= MOST_OPEN:
                raise UploadError(f"{MOST_OPEN} uploads are under way: wait until one has ended")
            number = secrets.token_urlsafe(9)
            folder = self._data / UPLOADS / number
            make_private(folder.parent)
            folder.mkdir(mode=0o700)
            upload = Upload(number, wish, folder, bounds, time.time())
            self._all[number] = upload
            over = [one.number for one in self._all.values() if one.state.is_over]
            for old in over[: max(0, len(over) - MOST_KEPT)]:
                del self._all[old]
        reader = UploadReader(self._data, upload, self._door)
        threading.Thread(target=reader.run, name="upload", daemon=True).start()
        return upload

    def of(self, owner: str, number: str) -> Upload | None:
        """The upload with this number, if `owner` has begun it."""
        found = self._all.get(number)
        return found if found and found.owner == owner else None

    def all_of(self, owner: str) -> list[Upload]:
        """Those of one person, the latest first."""
        return [one for one in reversed(list(self._all.values())) if one.owner == owner]

    def close(self) -> None:
        """End all of them."""
        for upload in list(self._all.values()):
            upload.abort()


class UploadReader:
    """Has the files of an upload read by a process of its own, one after the other."""

    def __init__(self, data: Path, upload: Upload, door: Doorkeeper) -> None:
        self._data = data
        self._upload = upload
        self._door = door

    def run(self) -> None:
        """Until the upload is over; nothing of it is left then but what the inbox has taken."""
        upload = self._upload
        try:
            self._read_all()
            state, problem = UploadState.DONE, ""
        except UploadError as error:
            state, problem = UploadState.STOPPED, str(error)
        with closing(HintSender(gateway_address(self._data))) as hints:
            if problem:
                hints.send(Aborted(upload.number, CALLER, problem))
            else:
                hints.send(Released(upload.number, CALLER, "has ended"))
        shutil.rmtree(upload.folder, ignore_errors=True)
        with going_on("uploads", log):
            self._door.forget_unused()
        upload.problem = problem
        upload.state = state

    def _read_all(self) -> None:
        context = fork_server(child.__name__)
        ours, theirs = context.Pipe()
        process = context.Process(
            target=child.read_upload,
            args=(self._data, self._upload.number, self._upload.bounds, theirs),
            name="hilum upload",
            daemon=True,
        )
        with closing(ours):
            process.start()
            theirs.close()
            try:
                self._follow(ours)  # until it is ready
                while path := self._next():
                    ours.send_bytes(os.fsencode(path))
                    self._follow(ours)
                    path.unlink()
                ours.send_bytes(child.END)
            except (EOFError, OSError) as error:
                raise UploadError("the process that reads it has ended: try once more") from error
            finally:
                process.terminate()
                process.join(END_SECONDS)
                process.kill()
                process.join()

    def _next(self) -> Path | None:
        """The next file that is whole; None when there is none any more."""
        upload = self._upload
        while True:
            with suppress(queue.Empty):
                path = upload.waiting.get(timeout=LOOK_SECONDS)
                self._require_wanted()
                return path
            silent = time.monotonic() - upload.heard
            if upload.state is UploadState.COMING and silent > SILENT_SECONDS:
                raise UploadError(f"nothing came for {silent:.0f} s: upload the rest once more")

    def _require_wanted(self) -> None:
        if self._upload.abort_reason:
            raise UploadError(self._upload.abort_reason)

    def _follow(self, talk: Connection) -> None:
        """Hear how far it is until it has done what it was given."""
        deadline = time.monotonic() + STUCK_SECONDS
        while True:
            self._require_wanted()
            if not talk.poll(LOOK_SECONDS):
                if time.monotonic() > deadline:
                    raise UploadError("reading it takes too long: make the archive anew")
                continue
            deadline = time.monotonic() + STUCK_SECONDS
            try:
                message = MESSAGE.validate_json(talk.recv_bytes(child.LONGEST_MESSAGE))
            except ValidationError as error:
                raise UploadError(
                    "the process that reads it gave no valid answer: try once more"
                ) from error
            if isinstance(message, NewStudy):
                self._answer(talk, message)
                continue
            self._upload.told = message
            if message.problem:
                raise UploadError(message.problem)
            if message.is_idle:
                return

    def _answer(self, talk: Connection, study: NewStudy) -> None:
        try:
            self._door.admit(self._upload, study)
        except HilumError as error:
            talk.send_bytes(str(error).encode())
        else:
            talk.send_bytes(child.GO_ON)
