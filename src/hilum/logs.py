"""Log lines: one per state change, with UIDs and our ids as fields, never patient data.

All processes write one file, which is begun anew when it is full. What is said again and again is
counted: whatever goes wrong, and however often, the log stays small.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from hilum.errors import where

FILE_BYTES = 10 << 20  # then the file is put aside as hilum.log.1, that one as hilum.log.2, ...
FILES_KEPT = 9
SAME_TEXT = 5  # lines of one place and one text that are written in each period
SAME_PLACE = 500  # lines of one place, whatever they say
PERIOD_SECONDS = 60.0
SILENT = logging.CRITICAL + 1

Error = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logging(data: Path) -> None:
    """Log to `<data>/logs/hilum.log`, and let nothing else of this process be read."""
    logging.getLogger().handlers[:] = [_log_of(data)]
    hear_ourselves()
    speak_alone()


def hear_ourselves() -> None:
    """Have what we say logged; of libraries only what goes wrong.

    What else they say is about themselves: "Press CTRL+C to quit", an address with its query.
    """
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("hilum").setLevel(logging.INFO)


def speak_alone() -> None:
    """Have nothing but our own words read of this process: this is for each of ours.

    A warning of Python is for whoever writes programs: it names a place in the code, and may hold
    an element value. Who wants them asks for them (`python -W`).
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    silence_libraries()


@contextmanager
def also_logging(data: Path) -> Iterator[None]:
    """Write what is logged inside, wherever it goes, to `<data>/logs/hilum.log`, too."""
    handler, root = _log_of(data), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _log_of(data: Path) -> "SharedLog":
    folder = data / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return SharedLog(folder / "hilum.log")


def silence_libraries() -> None:
    """Mute the loggers and warnings of libraries that print element values.

    pydicom warns and logs with the offending value in the text, which may be a name.
    """
    for name in ("pydicom", "pynetdicom", "highdicom"):
        logger = logging.getLogger(name)
        if logger.level != SILENT:  # each change has all loggers of the process decide anew: 0.2 ms
            logger.setLevel(SILENT)
        warnings.filterwarnings("ignore", module=name)


@contextmanager
def going_on(what: str, log: logging.Logger) -> Iterator[None]:
    """Log an error and go on: one thing that fails must not end what does all the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - around one task of many
        log.error("%s: %s", what, where(error))


class OneLine(logging.Formatter):
    """One line: when, which process, how grave, who, what."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(processName)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Make one line of whatever was said."""
        return " ".join(super().format(record).splitlines())

    def formatException(self, ei: Error) -> str:  # noqa: N802 - the name is the library's
        """Type and place of an error: its text may hold patient data."""
        return where(ei[1]) if ei[1] else ""


class SharedLog(logging.Handler):
    """A log file that several processes write at the same time, and that is begun anew when full.

    Each line is a single write to a file that is open for appending, so lines of different
    processes never mix. The process that finds the file full renames it, under a lock
    on the folder. The others see the new file before their next line. A line written meanwhile is
    in the renamed file, so none is lost. Libraries for this take a lock for each line: they would
    open a file for each line, and fail when no more files can be opened.
    """

    def __init__(self, path: Path, size: int = FILE_BYTES, kept: int = FILES_KEPT) -> None:
        super().__init__()
        self.setFormatter(OneLine())
        self._path, self._size, self._kept = path, size, kept
        self._repeats = Repeats()
        self._folder = os.open(path.parent, os.O_RDONLY)
        self._file = self._opened()
        self._unwritten = 0
        self._is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, and what was counted since."""
        try:
            record.getMessage()
        except Exception as error:  # noqa: BLE001 - around one line: its values may raise anything
            record = _without_text(record, type(error).__name__)
        self._write([self.format(said) for said in self._repeats.told_of(record)])

    def close(self) -> None:
        """Write what was counted, and close the file."""
        self.acquire()
        try:
            if not self._is_closed:
                self._write([self.format(said) for said in self._repeats.rest()])
                os.close(self._file)
                os.close(self._folder)
            self._is_closed = True
        finally:
            self.release()
        super().close()

    def _write(self, lines: list[str]) -> None:
        """Append lines; those that cannot be written, as on a full disk, are counted."""
        for line in lines:
            if self._unwritten:
                line = f"{line} ({self._unwritten} lines before this one could not be written)"
            try:
                self._follow()
                os.write(self._file, f"{line}\n".encode(errors="backslashreplace"))
                self._unwritten = 0
            except OSError:
                self._unwritten += 1
        if os.fstat(self._file).st_size > self._size:
            with contextlib.suppress(OSError):  # it is tried again with the next line
                self._begin_anew()

    def _follow(self) -> None:
        """Open the file anew if the name is another file's now, or none's."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            self._reopen()
            return
        if not os.path.samestat(now, os.fstat(self._file)):
            self._reopen()

    def _begin_anew(self) -> None:
        fcntl.flock(self._folder, fcntl.LOCK_EX)
        try:
            if self._path.stat().st_size > self._size:  # else another process has just done it
                names = [self._path, *(Path(f"{self._path}.{n + 1}") for n in range(self._kept))]
                for newer, older in reversed(list(itertools.pairwise(names))):
                    with contextlib.suppress(FileNotFoundError):
                        newer.rename(older)
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)
        self._reopen()

    def _reopen(self) -> None:
        """Go on with the present file when no other can be opened: better there than nowhere."""
        with contextlib.suppress(OSError):
            file = self._opened()
            os.close(self._file)
            self._file = file

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _without_text(record: logging.LogRecord, problem: str) -> logging.LogRecord:
    """A line in the place of one whose text does not fit its values, which may be patient data."""
    text = (
        f"a line cannot be written ({problem}): {Path(record.pathname).name}, line {record.lineno}"
    )
    place = (record.pathname, record.lineno)
    return logging.LogRecord(record.name, record.levelno, *place, text, None, None)


class Repeats:
    """What of the lines that come is to be written, so that no loop can fill the disk.

    Of one place in the code, the same text is written `SAME_TEXT` times in a period and
    `SAME_PLACE` lines in all; the others are counted. How many there were is told when the period
    is over, with the next line of whatever place.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[tuple[str, int], _Place] = {}
        self._next = clock() + PERIOD_SECONDS

    def told_of(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """The lines to write now that `record` has come: itself unless it is left out."""
        said = self.rest() if self._clock() >= self._next else []
        place = self._places.setdefault((record.pathname, record.lineno), _Place())
        return [*said, record] if place.takes(record) else said

    def rest(self) -> list[logging.LogRecord]:
        """How often was said what was left out; a new period begins."""
        said = [line for place in self._places.values() for line in place.counted()]
        self._places.clear()
        self._next = self._clock() + PERIOD_SECONDS
        return said


@dataclass
class _Place:
    """What one place in the code has said in a period."""

    written: int = 0
    texts: Counter[str] = field(default_factory=Counter)  # how often each was written
    left_out: Counter[str] = field(default_factory=Counter)
    others: int = 0  # lines that were left out because there were too many different ones
    last: logging.LogRecord | None = None

    def takes(self, record: logging.LogRecord) -> bool:
        """Whether `record` is to be written; if not, it is counted."""
        self.last = record
        text = record.getMessage()
        if self.texts[text] < SAME_TEXT and self.written < SAME_PLACE:
            self.texts[text] += 1
            self.written += 1
            return True
        if text in self.left_out or len(self.left_out) < SAME_PLACE:
            self.left_out[text] += 1
        else:
            self.others += 1
        return False

    def counted(self) -> Iterator[logging.LogRecord]:
        """What was left out, as lines: a few texts with their numbers, and how many others."""
        often = {text: count for text, count in self.left_out.items() if self.texts[text]}
        for text, count in often.items():
            yield self._line(f"said {count} more times: {text}")
        if others := self.others + self.left_out.total() - sum(often.values()):
            yield self._line(f"{others} more lines from the same place were left out")

    def _line(self, text: str) -> logging.LogRecord:
        assert self.last, "it has counted something"
        place = (self.last.pathname, self.last.lineno)
        return logging.LogRecord(self.last.name, self.last.levelno, *place, text, None, None)
