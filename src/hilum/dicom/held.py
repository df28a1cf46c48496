"""A file that was opened for this process, which may not open it by its name."""

import io
import os
from pathlib import PosixPath
from typing import IO, Any


class HeldFile(PosixPath):
    """The path of a file that is open already; to open it gives what the descriptor holds.

    So a module's process reads a study though its walls let it open no file of it.
    """

    descriptor: int

    @classmethod
    def of(cls, name: str, descriptor: int) -> "HeldFile":
        """The file called `name`, open for reading as `descriptor`."""
        held = cls(name)
        held.descriptor = descriptor
        return held

    def open(self, mode: str = "r", *_how: Any, **_more: Any) -> IO[Any]:  # type: ignore[override]
        """The bytes, whatever else is asked for: text is nothing that a study holds."""
        if mode != "rb":
            raise PermissionError(f"a file of the study can be opened as 'rb', not as {mode!r}")
        return io.BufferedReader(_Held(self.descriptor, str(self)))


class _Held(io.RawIOBase):
    """Reads from a place of its own: those who read one descriptor would share its position."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._position = 0

    def fileno(self) -> int:
        return self._descriptor

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self._position,
            os.SEEK_END: os.fstat(self._descriptor).st_size,
        }
        self._position = max(0, start[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count
