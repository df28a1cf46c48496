"""A file that grows in the inbox's `partial/` while its object of gigabytes arrives."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.inbox.room import MEBIBYTE, require_room

if TYPE_CHECKING:
    from hilum.dicom.structure import Buffer

STEP = 64 * MEBIBYTE  # after so many bytes the disk is asked for room, and made to write


class Growing:
    """One DICOM Part 10 file at `path`; nobody else knows of it until the inbox links it."""

    def __init__(self, path: Path, low_water_mb: int) -> None:
        require_room(path.parent, low_water_mb)
        self.path = path
        self._low_water_mb = low_water_mb
        self._file = path.open("wb", buffering=0)
        self._unwritten = 0

    def write(self, data: "Buffer | memoryview") -> None:
        """Append `data`; `OSError` if there is no room."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._unwritten += len(data)
        if self._unwritten >= STEP:  # or the last fsync would take longer than senders wait
            os.fdatasync(self._file.fileno())
            require_room(self.path.parent, self._low_water_mb)
            self._unwritten = 0

    def discard(self) -> None:
        """Remove it, which leaves what the inbox has linked."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def mapped(path: Path) -> "Iterator[Buffer]":
    """The content of a file that is not empty, without reading it into memory."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        yield content
