"""When the receiver began to listen: a pause between two images that spans it was not the sender's.

The times stand in a file of the data folder, so they outlive every process. What is lost of them
costs time only: the study is waited for as if its sender were slow.
"""

from contextlib import suppress
from pathlib import Path

from hilum.inbox import write_durably

MOST_STARTS = 100  # the latest starts; a study that is still open has seen no more of them


class Starts:
    """The starts of the receiver whose inbox lies below `data`; times in s since 1970."""

    def __init__(self, data: Path) -> None:
        self._file = data / "receiver.starts"
        self._read_at = 0  # time of the file when it was read last
        self._times: tuple[float, ...] = ()

    def note(self, at: float) -> None:
        """Note a start, before the first image can come."""
        times = [*self._times_now()[1 - MOST_STARTS :], at]
        with suppress(OSError):  # the disk is full: images are not taken in either
            write_durably(self._file, "".join(f"{time}\n" for time in times).encode())

    def lie_between(self, earlier: float, later: float) -> bool:
        """Whether the receiver began anew after `earlier`, and not after `later`."""
        return any(earlier < time <= later for time in self._times_now())

    def _times_now(self) -> tuple[float, ...]:
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._read_at:
                self._times = tuple(map(float, self._file.read_text().split()))
                self._read_at = changed
        except (OSError, ValueError):  # there is none yet, or it is damaged
            self._times = ()
        return self._times
