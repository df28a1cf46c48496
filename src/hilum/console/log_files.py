"""The log of the service, read from its end, and never as a whole.

Lines of all processes stand in `logs/hilum.log` and in the files that it was renamed to. A time is
found by halving a file, since its lines follow each other in time; then pieces are read backwards.
What of them is wanted is chosen by bytes first, and only that is understood.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from hilum.wording import printable

PIECE = 64 << 10  # bytes
MOST_READ = 16 << 20  # bytes for one page; then the reader says how far it has come
LONGEST_LINE = 64 << 10  # bytes; what is longer is no line of ours
LINE = re.compile(
    rb"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) (?P<process>.{1,100}?) "
    rb"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<logger>\S+) (?P<text>.*)"
)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
NEVER = float("inf")
OURS = "hilum "  # how the names of our processes begin
MAIN = "supervisor"  # what the first process is, which `multiprocessing` calls MainProcess


class LogLevel(IntEnum):
    """How grave a line is."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


GRAVE = {least: [level.name.encode() for level in LogLevel if level >= least] for least in LogLevel}


@dataclass(frozen=True)
class LogLine:
    """One line. `at` is in s since 1970; `process` is its role, as `worker-0` or `source-pacs`.

    `place` is the inode of its file and the offset in it, by which a page goes on.
    """

    at: float
    process: str
    level: LogLevel
    logger: str
    text: str
    place: str


@dataclass(frozen=True)
class LogFilter:
    """What of the log is wanted. Times in s since 1970.

    `words` are UIDs and ids, of which a line holds at least one. `role` is how the name of the
    process begins.
    """

    least: LogLevel = LogLevel.DEBUG
    role: str = ""
    words: tuple[str, ...] = ()
    since: float = 0.0
    until: float = NEVER

    def may_hold(self, line: bytes) -> bool:
        """Whether a line is worth to be understood: this is quick."""
        if self.least > LogLevel.INFO and not any(name in line for name in GRAVE[self.least]):
            return False
        return not self.words or any(word.encode() in line for word in self.words)

    def wants(self, line: LogLine) -> bool:
        """Whether it meets all conditions."""
        is_in_time = self.since <= line.at < self.until
        return is_in_time and line.level >= self.least and line.process.startswith(self.role)


@dataclass(frozen=True)
class LogPage:
    """Lines, the latest first. `older` is where those before them are, "" where there are none.

    `reached` is how far back was looked where the page is not full although there is more.
    """

    lines: tuple[LogLine, ...]
    older: str
    reached: float | None = None


def log_files(data: Path) -> list[Path]:
    """The files of the log, the newest first."""
    folder = data / "logs"
    found = (path for path in folder.glob("hilum.log*") if path.suffix[1:].isdigit())
    older = sorted(found, key=lambda path: int(path.suffix[1:]))
    newest = folder / "hilum.log"
    return [*([newest] if newest.exists() else []), *older]


def mark(data: Path) -> str:
    """A text that differs when the log has grown."""
    try:
        found = (data / "logs" / "hilum.log").stat()
    except FileNotFoundError:
        return "none"
    return f"{found.st_ino}-{found.st_size}"


def read_page(data: Path, wanted: LogFilter, most: int, before: str = "") -> LogPage:
    """The latest `most` lines that are wanted, or those `before` a place."""
    lines: list[LogLine] = []
    budget = MOST_READ
    for part in _parts(data, wanted, before):
        for line in _backwards(part):
            budget -= len(line.content)
            if budget < 0:
                return LogPage(tuple(lines), line.place, _time_of(line.content))
            understood = _understood(line) if wanted.may_hold(line.content) else None
            if understood and wanted.wants(understood):
                lines.append(understood)
                if len(lines) == most:
                    return LogPage(tuple(lines), understood.place)
    return LogPage(tuple(lines), "")


def read_forwards(data: Path, wanted: LogFilter) -> Iterator[bytes]:
    """All lines that are wanted, the oldest first, as they stand in the log."""
    for path in reversed(log_files(data)):
        try:
            with path.open("rb") as file:
                file.seek(_offset_of(path, wanted.since))
                for content in file:
                    line = _Line(content.rstrip(b"\n"), "")
                    understood = _understood(line) if wanted.may_hold(content) else None
                    if understood and understood.at >= wanted.until:
                        break
                    if understood and wanted.wants(understood):
                        yield content
        except FileNotFoundError:
            continue  # it was the oldest, and has gone meanwhile


@dataclass(frozen=True)
class _Line:
    content: bytes
    place: str


@dataclass(frozen=True)
class _FilePart:
    """The bytes of a file from `begin` to `end`."""

    path: Path
    begin: int
    end: int


def _parts(data: Path, wanted: LogFilter, before: str) -> Iterator[_FilePart]:
    """What is to be read, the newest file first; nothing where the place `before` is gone."""
    inode, _, offset = before.partition("-")
    is_found = not before
    for path in log_files(data):
        with suppress(FileNotFoundError):  # it was the oldest, and has gone meanwhile
            found = path.stat()
            begin = _offset_of(path, wanted.since) if wanted.since else 0
            end = _offset_of(path, wanted.until) if wanted.until < NEVER else found.st_size
            if not is_found and str(found.st_ino) == inode and offset.isdecimal():
                is_found = True
                yield _FilePart(path, begin, min(int(offset), end))
            elif is_found:
                yield _FilePart(path, begin, end)


def _offset_of(path: Path, at: float) -> int:
    """Where the first line of a file begins that is not before `at`; found by halving."""
    with path.open("rb") as file:
        low, high = 0, os.fstat(file.fileno()).st_size
        while high - low > PIECE:
            middle = (low + high) // 2
            found = _first_time(file, middle, high)
            if found is None or found[1] >= at:
                high = middle
            else:
                low = found[0]
        file.seek(low)
        for content in file:
            moment = _time_of(content)
            if moment is not None and moment >= at:
                return low
            low += len(content)
            if low > high + LONGEST_LINE:
                break
        return low


def _first_time(file: BinaryIO, start: int, end: int) -> tuple[int, float] | None:
    """Where the first line that begins after `start` and says its time begins, and that time."""
    file.seek(start)
    file.readline(LONGEST_LINE)  # the rest of the line that begins before
    while (offset := file.tell()) < end:
        content = file.readline(LONGEST_LINE)
        if (moment := _time_of(content)) is not None:
            return offset, moment
    return None


def _backwards(part: _FilePart) -> Iterator[_Line]:
    """The lines of a part of a file, the last one first."""
    with suppress(FileNotFoundError), part.path.open("rb") as file:
        inode = os.fstat(file.fileno()).st_ino
        rest, at = b"", part.end
        while at > part.begin:
            size = min(PIECE, at - part.begin)
            at -= size
            file.seek(at)
            first, *lines = (file.read(size) + rest).split(b"\n")
            offset = at + len(first) + 1 + sum(len(line) + 1 for line in lines)
            for line in reversed(lines):
                offset -= len(line) + 1
                if line:
                    yield _Line(line, f"{inode}-{offset}")
            rest = first[-LONGEST_LINE:]
        if rest:
            yield _Line(rest, f"{inode}-{part.begin}")


def _understood(line: _Line) -> LogLine | None:
    """A line as a value; None for one that is not ours, such as what a library has printed."""
    match = LINE.match(line.content)
    moment = _time_of(line.content)
    if match is None or moment is None:
        return None
    process = match["process"].decode(errors="replace")
    return LogLine(
        moment,
        MAIN if process == "MainProcess" else process.removeprefix(OURS),
        LogLevel[match["level"].decode()],
        match["logger"].decode(errors="replace"),
        printable(match["text"].decode(errors="replace")),
        line.place,
    )


@lru_cache(4096)
def _second(stated: bytes) -> float | None:
    """A time of day of the log, in s since 1970; many lines have the same one."""
    try:
        return time.mktime(time.strptime(stated.decode(), TIME_FORMAT))
    except (ValueError, OverflowError):
        return None


def _time_of(content: bytes) -> float | None:
    """The time of a line in s since 1970, None where it says none."""
    match = LINE.match(content)
    second = _second(match["at"]) if match else None
    return None if second is None or match is None else second + int(match["ms"]) / 1000
