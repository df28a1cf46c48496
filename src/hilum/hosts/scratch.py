"""Where a module's process leaves temporary files, and what it prints: of each run for itself."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from hilum.inbox import write_durably
from hilum.processes.process import is_alive, own_start_time

LAST_WORDS = 20_000  # bytes
TRACEBACK = "traceback.txt"
_PREFIX = "hilum-module"


def make_scratch() -> Path:
    """A new folder; those that killed workers have left are removed."""
    home = Path(tempfile.gettempdir())
    kin = f"{_PREFIX}-{Path('/proc/self/ns/pid').stat().st_ino}"  # who sees the same processes
    for left in home.glob(f"{kin}-*-*-*"):
        pid, started, *_ = left.name.removeprefix(f"{kin}-").split("-")
        if pid.isdigit() and not is_alive(int(pid), started):
            shutil.rmtree(left, ignore_errors=True)  # that of another user stays
    prefix = f"{kin}-{os.getpid()}-{own_start_time()}-"
    return Path(tempfile.mkdtemp(prefix=prefix))


def empty(scratch: Path) -> None:
    """Remove all that lies in the folder. Links are removed, never followed."""
    with suppress(FileNotFoundError):  # whoever cleans up temporary files was first
        for path in scratch.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def remove(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)


def printed() -> IO[bytes]:
    """A file without a name that takes what a process prints, always at its end."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - its reader closes it
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_APPEND)
    return file


def tail(file: IO[bytes]) -> str:
    """The end of what was printed."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), LAST_WORDS, max(0, size - LAST_WORDS)).decode(errors="replace")


def keep_last_words(words: str, out: Path) -> None:
    """What a module printed before it died stands where a traceback would."""
    if words:
        out.mkdir(parents=True, exist_ok=True)
        write_durably(out / TRACEBACK, words.encode(errors="replace"))
