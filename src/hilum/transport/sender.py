"""Sends studies to a DICOM node, as a scanner or a PACS does."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.answers import Acceptance
from hilum.config.tls import Tls
from hilum.errors import DeliveryDelayed
from hilum.transport.our_side import COMMAND
from hilum.transport.scu import NO_ANSWER, Peer, Sent, store
from hilum.transport.scu import echo as verify
from hilum.transport.statuses import meaning_of
from hilum.wording import counted

Called = tuple[str, str, int]  # AE title, host, port


@dataclass(frozen=True)
class SendReport:
    """The answer to each file, in the order of the answers."""

    files: tuple[Sent, ...]
    seconds: float

    @property
    def stored(self) -> int:
        """How many files were taken, warnings included."""
        return len(self.files) - len(self.failed)

    @property
    def failed(self) -> tuple[Sent, ...]:
        """Files that were not taken, each with its status and reason."""
        return tuple(file for file in self.files if not _taken(file))

    def __str__(self) -> str:
        text = f"{self.stored} of {counted(len(self.files), 'image')} taken in {self.seconds:.1f} s"
        reasons = sorted({file.reason or f"status {file.status}" for file in self.failed})
        return text + (f"; refused: {'; '.join(reasons)}" if reasons else "")


def dicom_files(folder: Path) -> list[Path]:
    """Every file with the DICOM prefix (PS3.10 7.1) below `folder`, or `folder` itself, by name."""
    paths = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    return [path for path in paths if path.is_file() and _has_prefix(path)]


def _has_prefix(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def send(
    files: Sequence[Path],
    called: Called,
    calling: str = "SCANNER",
    progress: Callable[[Sent], None] | None = None,
    tls: Tls | None = None,
) -> SendReport:
    """Send `files` by C-STORE, each in its own transfer syntax; nothing is repeated.

    Raises
    ------
    DeliveryDelayed
        The node cannot be reached, is busy, or the connection broke.
    DeliveryRefused
        The node rejects the association; the text says the cure.
    """
    started = time.perf_counter()
    answers = []
    peer = Peer(*called, calling, tls=tls, our_side=COMMAND)
    for sent in store(files, peer):
        if sent.reason == NO_ANSWER:
            raise DeliveryDelayed(f"{peer}: {NO_ANSWER}")
        answers.append(sent)
        if progress:
            progress(sent)
    return SendReport(tuple(answers), time.perf_counter() - started)


def echo(called: Called, calling: str = "SCANNER", tls: Tls | None = None) -> float:
    """Seconds a C-ECHO takes, association included; raises like `send`."""
    started = time.perf_counter()
    verify(Peer(*called, calling, tls=tls, our_side=COMMAND))
    return time.perf_counter() - started


def _taken(sent: Sent) -> bool:
    return sent.status is not None and meaning_of(sent.status)[0] is Acceptance.TAKEN
