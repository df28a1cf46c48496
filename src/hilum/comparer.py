"""Compares images in a short-lived process of its own: their pixels may be hostile."""

import resource
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from hilum.config.site import Worker
from hilum.dicom.sameness import difference
from hilum.errors import DicomError, MachineError
from hilum.logs import speak_alone
from hilum.process import (
    children_deaf_to_ctrl_c,
    data_bytes,
    die_with_parent,
    fork_server,
    tie_to,
)

UNREADABLE = "it cannot be compared"
LATER = "the machine had too little memory to compare it"  # which says nothing of the images
LONGEST = 4096  # bytes of a word
LOST = "its comparison ended the process, or took too long"


class FilePair(NamedTuple):
    """Two files that may hold the same image."""

    new: Path
    old: Path


class Comparer:
    """Compares pairs one after the other. Ask for `results` now and then."""

    def __init__(self, settings: Worker) -> None:
        self._settings = settings
        self._waiting: list[FilePair] = []
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._tie: Connection | None = None  # it ends with us, and the process with it
        self._deadline = 0.0

    @property
    def is_busy(self) -> bool:
        return self._process is not None

    def start(self, pairs: Sequence[FilePair]) -> None:
        """Begin with `pairs`; not before the ones before are done."""
        assert not self.is_busy
        context = fork_server(__name__, shared=True)
        self._pipe, theirs = context.Pipe(duplex=False)
        tie, self._tie = context.Pipe(duplex=False)
        self._waiting = list(pairs)
        self._process = context.Process(
            target=_compare,
            args=(self._waiting, theirs, tie, self._settings.memory_mb),
            name="hilum compare",
            daemon=True,
        )
        with theirs, tie, children_deaf_to_ctrl_c():
            self._process.start()
        self._deadline = time.monotonic() + self._settings.timeout_seconds

    def results(self) -> list[tuple[FilePair, str]]:
        """The results since the last call: for each pair what differs, "" if it is the same image.

        A pair that ends the process, or holds it up, is lost; those behind it are to be asked anew.
        """
        found: list[tuple[FilePair, str]] = []
        if self._pipe is None:
            return found
        try:
            while self._waiting and self._pipe.poll():
                word = self._pipe.recv_bytes(LONGEST).decode(errors="replace")  # never unpickled
                found.append((self._waiting.pop(0), word))
                self._deadline = time.monotonic() + self._settings.timeout_seconds
        except (EOFError, OSError):
            found.append((self._waiting.pop(0), LOST))
            self.close()
            return found
        if not self._waiting:
            self.close()
        elif time.monotonic() > self._deadline:
            found.append((self._waiting.pop(0), LOST))
            self.close()
        return found

    def close(self) -> None:
        """End the process; pairs without a result are forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        for end in filter(None, (self._pipe, self._tie)):
            end.close()
        self._process, self._pipe, self._tie, self._waiting = None, None, None, []


def _compare(pairs: Sequence[FilePair], pipe: Connection, tie: Connection, memory_mb: int) -> None:
    """Run as the child: send a word for each pair."""
    die_with_parent()
    tie_to(tie.fileno())
    speak_alone()
    memory = data_bytes() + (memory_mb << 20)  # what is loaded now is not counted
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    for pair in pairs:
        try:
            pipe.send_bytes(difference(pair.old, pair.new).encode()[:LONGEST])
        except DicomError:
            pipe.send_bytes(UNREADABLE.encode())
        except (MachineError, OSError, MemoryError):
            pipe.send_bytes(LATER.encode())
