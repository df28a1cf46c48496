"""The process that reads what was handed over, so that a hostile file harms nothing but itself.

It has no records, no settings and no network, where the machine has walls (`wall.py`); it
may write to the inbox, as the receiver may.
"""

import os
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from hilum.errors import UploadError, where
from hilum.hints import HintSender, gateway_address
from hilum.inbox import Inbox
from hilum.inbox.room import is_full
from hilum.logs import speak_alone
from hilum.process import data_bytes, die_with_parent
from hilum.uploading.archive import UploadBounds
from hilum.uploading.intake import UploadIntake
from hilum.uploading.talk import LONGEST_PROBLEM, MESSAGE, Message, NewStudy, Told
from hilum.uploading.wall import wall_in

MEMORY = 1 << 30  # bytes, beside what is loaded at the start
TELL_SECONDS = 0.25
GO_ON, END = b"go on", b""
LONGEST_MESSAGE = 1 << 20  # bytes
NO_ROOM = "the disk has too little room: make room, then upload the rest"
NO_MEMORY = "reading this needs more memory than an upload may have"


def read_upload(data: Path, association: str, bounds: UploadBounds, talk: Connection) -> None:
    """Take in the files whose paths come by `talk` until it ends, and tell how far it is."""
    die_with_parent()
    speak_alone()
    memory = data_bytes() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    signal.signal(signal.SIGTERM, _end)
    teller = _Teller(talk)
    inbox = Inbox(data)  # it makes its folders
    wall_in(data.resolve())
    intake = UploadIntake(
        inbox,
        HintSender(gateway_address(data)),
        association,
        bounds,
        teller.ask,
        lambda: teller.tell(intake),
    )
    try:
        teller.tell(intake, is_idle=True)
        while path := talk.recv_bytes():
            problem = _problem(intake, Path(os.fsdecode(path)))
            teller.tell(intake, is_idle=True, problem=problem)
    except (EOFError, OSError):
        pass  # the console is gone, and with it whoever would be told


def _problem(intake: UploadIntake, path: Path) -> str:
    """Take in the file at `path`; why the upload has to end, or "" where it goes on."""
    try:
        intake.take(path)
    except UploadError as error:
        return str(error)
    except MemoryError:
        return NO_MEMORY
    except OSError as error:
        return NO_ROOM if is_full(error) else f"the disk fails: {os.strerror(error.errno or 0)}"
    except Exception as error:  # noqa: BLE001 - around one upload: its values may raise anything
        return f"it cannot be read: {where(error)}"
    return ""


class _Teller:
    """Tells the console how far it is, a few times a second, and asks it about studies."""

    def __init__(self, talk: Connection) -> None:
        self._talk = talk
        self._last = 0.0

    def tell(self, intake: UploadIntake, is_idle: bool = False, problem: str = "") -> None:
        now = time.monotonic()
        if is_idle or now - self._last > TELL_SECONDS:
            self._last = now
            fates = intake.fates.as_counts()
            self._send(Told(fates, intake.bytes_read, is_idle, problem[:LONGEST_PROBLEM]))

    def ask(self, study: NewStudy) -> None:
        """Raise `UploadError` where the console does not let the study in."""
        self._send(study)
        answer = self._talk.recv_bytes()
        if answer != GO_ON:
            raise UploadError(answer.decode())

    def _send(self, message: Message) -> None:
        self._talk.send_bytes(MESSAGE.dump_json(message))


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End in order, which removes the file that is growing."""
    sys.exit(0)
