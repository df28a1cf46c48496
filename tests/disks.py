"""File systems so small that they can be filled, and full ones."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk_of(mebibytes: int, disk: Path) -> Iterator[Path]:
    """A file system of its own at `disk`; the test is skipped where mounting is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # databases are still open


@contextmanager
def no_room_on(disk: Path) -> Iterator[None]:
    """Somebody else's file takes every byte that is left on `disk`."""
    filler = disk / "filler"
    fill(filler)
    try:
        yield
    finally:
        filler.unlink()


def fill(filler: Path) -> None:
    """Write `filler` until the disk is full."""
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            block = bytes(size)
            try:
                while file.write(block) == size:
                    pass
            except OSError:
                continue
