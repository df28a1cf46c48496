"""Where a module's process leaves temporary files, and what it prints: of each run for itself."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from hilum.inbox import write_durably
from hilum.processes.process import is_alive, own_start_time

LAST_WORDS = 20_000  # bytes
MOST_PRINTED = 64 << 20  # bytes that lie on the disk
REMOVE_SECONDS = 120.0  # in which what `shutil` cannot remove is to be gone
TRACEBACK = "traceback.txt"
_PREFIX = "hilum-module"


def make_scratch() -> Path:
    """A new folder; those that killed workers have left are removed."""
    home = Path(tempfile.gettempdir())
    kin = f"{_PREFIX}-{Path('/proc/self/ns/pid').stat().st_ino}"  # who sees the same processes
    for left in home.glob(f"{kin}-*-*-*"):
        pid, started, *_ = left.name.removeprefix(f"{kin}-").split("-")
        with suppress(FileNotFoundError):  # another worker that starts now was first
            is_ours = left.lstat().st_uid == os.geteuid()
            if is_ours and pid.isdigit() and not is_alive(int(pid), started):
                remove(left)
    prefix = f"{kin}-{os.getpid()}-{own_start_time()}-"
    return Path(tempfile.mkdtemp(prefix=prefix))


def empty(scratch: Path) -> None:
    """Remove all that lies in the folder. Links are removed, never followed."""
    with suppress(FileNotFoundError):  # whoever cleans up temporary files was first
        for path in scratch.iterdir():
            if path.is_dir() and not path.is_symlink():
                remove(path)
            else:
                with suppress(IsADirectoryError):  # a thread of the module goes on
                    path.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove a folder that a module has written to, whatever it has left there.

    That may be folders without rights, or thousands of them within each other: `shutil` can remove
    neither.
    """
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    for words in (("chmod", "-R", "u+rwx"), ("rm", "-rf")) if folder.is_dir() else ():
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*words, "--", folder], capture_output=True, timeout=REMOVE_SECONDS, check=False
            )


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
