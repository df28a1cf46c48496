"""How the receiver reports rejections: a few lines in its log, and counts for the gateway.

A flood of ten thousand rejections is one row with a count and one line, then one line every ten
minutes; senders under ever new names get no more than `MOST_LINES` a minute between them.
"""

import logging
import threading
import time

from hilum.processes.hints import HintSender, Rejected
from hilum.rejections import MOST_ROWS, Rejection, RejectionKey, RejectionKind, Rejections

LOG_AGAIN_SECONDS = 600.0
MOST_LINES = 20  # new rows in the log within `LINES_SECONDS`
LINES_SECONDS = 60.0
CALM_SECONDS = 2.0  # without a rejection, before trouble counts as over

logger = logging.getLogger(__name__)


class Rejecting:
    """Notes rejections as they come. `tell`, called about once a second, passes them on."""

    def __init__(self, hints: HintSender) -> None:
        self._hints = hints
        self._lock = threading.Lock()
        self._unlogged, self._untold = Rejections(), Rejections()
        self._log = _BoundedLog()

    def note(
        self, kind: RejectionKind, reason: str, address: str, caller: str = "", called: str = ""
    ) -> None:
        """Count one rejection. `reason` says the cure."""
        rejection = Rejection.at(time.time(), kind, address, caller, called, reason)
        with self._lock:
            self._unlogged.add(rejection)
            self._untold.add(rejection)

    def tell(self) -> None:
        """Log and send what was noted since. What the gateway does not take now, it gets later."""
        with self._lock:
            unlogged, self._unlogged = self._unlogged, Rejections()
            news, self._untold = self._untold, Rejections()
        now = time.monotonic()
        for rejection in unlogged:
            self._log.write(rejection, now)
        untold = [row for row in news if not self._hints.send(Rejected(row))]
        with self._lock:
            for rejection in untold:
                self._untold.add(rejection)


class _BoundedLog:
    """Writes a row when it is new, and again with its count when it has gone on for a while."""

    def __init__(self) -> None:
        self._rows: dict[
            RejectionKey, tuple[float, int]
        ] = {}  # last line, and how many rejections since
        self._minute_began = 0.0
        self._lines = 0
        self._left_out = 0

    def write(self, rejection: Rejection, now: float) -> None:
        """`now` is monotonic, in seconds."""
        last, count = self._rows.pop(rejection.key, (-LOG_AGAIN_SECONDS, 0))
        count += rejection.count
        if now - last < LOG_AGAIN_SECONDS:
            self._keep(rejection.key, last, count)
        elif self._has_room(now):
            times = f"{count} times" if count > 1 else "once"
            logger.warning("rejected %s: %s: %s", times, rejection.sender, rejection.reason)
            self._keep(rejection.key, now, 0)
        else:
            self._left_out += count

    def _keep(self, key: RejectionKey, last: float, count: int) -> None:
        self._rows[key] = (last, count)
        if len(self._rows) > MOST_ROWS:
            del self._rows[next(iter(self._rows))]

    def _has_room(self, now: float) -> bool:
        if now - self._minute_began > LINES_SECONDS:
            if self._left_out:
                logger.warning(
                    "%d more rejections are not in this log: `hilum status` lists them",
                    self._left_out,
                )
            self._minute_began, self._lines, self._left_out = now, 0, 0
        self._lines += 1
        return self._lines <= MOST_LINES


class Trouble:
    """Logs when images begin to be refused for lack of room, and when that is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self._last = 0.0

    def begins(self, reason: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            if reason != self._reason:
                logger.error("images are refused (0xA700): %s", reason)
            self._reason = reason

    def ends(self) -> None:
        """Note that one was stored. A small one may fit where others do not, so wait a while."""
        with self._lock:
            if self._reason and time.monotonic() - self._last > CALM_SECONDS:
                logger.warning("images are stored again")
                self._reason = ""
