"""What could not be written into the audit trail: how often, since when, and why.

The file has its full length from the beginning and is written over in place, so that a disk without
room takes it, too. As soon as the trail can be written again, an entry tells of the gap.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LENGTH = 1024  # bytes
FILE = "audit.gap"  # in the data folder


@dataclass(frozen=True)
class AuditGap:
    """So many looks were not written down, from `since` to `until` (s since 1970)."""

    count: int = 0
    since: float = 0.0
    until: float = 0.0
    problem: str = ""

    @property
    def text(self) -> str:
        """The gap in words."""
        begin, end = (time.strftime("%F %T", time.localtime(at)) for at in (self.since, self.until))
        return f"{self.count} between {begin} and {end} could not be written down: {self.problem}"


class Gaps:
    """The gap that is open in the trail of a data folder, if one is."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE

    def now(self) -> AuditGap:
        """The gap as it stands; its count is 0 if there is none. `OSError` if it cannot be read."""
        if not self._file.exists():
            return AuditGap()
        with self._open() as file:
            return _read(file)

    def prepare(self) -> AuditGap:
        """The same, and take the room that is needed while there is some."""
        with self._open() as file:
            if os.fstat(file).st_size < LENGTH:
                _write(file, AuditGap())
            return _read(file)

    def note(self, at: float, problem: str) -> None:
        """One more look was not written down. `OSError` if that cannot be, either."""
        with self._open() as file:
            gap = _read(file)
            _write(file, AuditGap(gap.count + 1, gap.since or at, at, problem))

    def close(self, told: AuditGap) -> None:
        """The trail tells of `told` now; what came meanwhile stays."""
        with self._open() as file:
            gap = _read(file)
            rest = gap.count - told.count
            _write(file, AuditGap(rest, told.until, gap.until, gap.problem) if rest else AuditGap())

    @contextmanager
    def _open(self) -> Iterator[int]:
        file = opened_privately(self._file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _read(file: int) -> AuditGap:
    text = os.pread(file, LENGTH, 0).decode(errors="replace").strip()
    try:
        return AuditGap(**json.loads(text)) if text else AuditGap()
    except (ValueError, TypeError):  # the machine went down in the middle
        return AuditGap()


def opened_privately(file: Path) -> int:
    """A file that only its owner may read, for reading and writing; it is made if need be.

    Root makes it for the owner of the folder, who is to write it, too. `OSError` if it cannot be
    opened.
    """
    opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    if os.geteuid() == 0:
        owner = file.parent.stat()
        os.chown(opened, owner.st_uid, owner.st_gid)
    return opened


def _write(file: int, gap: AuditGap) -> None:
    room = LENGTH - 200
    short = AuditGap(gap.count, gap.since, gap.until, gap.problem[: room // 6])  # \uXXXX at worst
    os.pwrite(file, json.dumps(asdict(short)).ljust(LENGTH).encode(), 0)
    os.fsync(file)
