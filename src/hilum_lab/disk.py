"""A small disk that can be filled: a tmpfs, for which one has to be root."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

CHUNK = bytes(1 << 20)
BALLAST = "ballast"  # the file that fills it
Mount = Callable[[int], AbstractContextManager[Path]]  # of so many MiB


@cache
def why_not() -> str:
    """Why no file system can be mounted here, "" if one can."""
    if os.geteuid():
        return "only root can mount the small disk that is filled"
    with TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), 1):
                return ""
        except subprocess.CalledProcessError:
            return "there is no right to mount the small disk that is filled"


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size at `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "hilum-lab"]
    subprocess.run(["mount", *options, folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # databases may still be open


def fill(folder: Path, leave_kb: int = 0) -> Path:
    """A file that takes all space but `leave_kb` of the disk below `folder`."""
    ballast = folder / BALLAST
    with ballast.open("ab", buffering=0) as file:
        while True:
            stat = os.statvfs(folder)
            free = stat.f_bavail * stat.f_frsize - leave_kb * 1024
            if free <= 0:
                return ballast
            try:
                file.write(CHUNK[: min(free, len(CHUNK))])
            except OSError:
                return ballast  # others write, too


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is left on the disk below `folder`."""
    ballast = fill(folder)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def mounted_read_only(file: Path) -> Iterator[None]:
    """Meanwhile `file` cannot be opened for writing, not even by root."""
    subprocess.run(["mount", "--bind", file, file], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", file], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", file], check=True)
