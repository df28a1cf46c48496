"""A small disk that can be filled: a tmpfs, for which one has to be root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = bytes(1 << 20)


def why_not() -> str:
    """Why no file system can be mounted here, "" if one can."""
    return "" if os.geteuid() == 0 else "only root can mount the small disk that is filled"


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[None]:
    """A tmpfs of that size at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "hilum-chaos"]
    subprocess.run(["mount", *options, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave_kb: int) -> Path:
    """A file that takes all space but `leave_kb` of the disk below `folder`."""
    ballast = folder / "ballast"
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
