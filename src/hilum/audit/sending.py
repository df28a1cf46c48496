"""Tells everybody who is to be told of the audit trail, in a thread of the console's process.

How far each has got stands beside the trail, so nothing is lost while a collector is down, or we
are. After a crash in the middle, the same messages may come twice.
"""

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hilum.audit.auditor import Auditor
from hilum.audit.entry import AuditEntry
from hilum.audit.messages import AuditSource, message
from hilum.audit.store import AuditStore, CollectorStanding
from hilum.audit.syslog import send, syslog_message
from hilum.config.audit import AuditSettings, SyslogSettings
from hilum.errors import RESTART
from hilum.logs import going_on
from hilum.transport.tls import meaning_of

PORTION = 200  # messages on one connection
LOOK_SECONDS = 10.0  # at what other processes have added
FIRST_RETRY_SECONDS = 10.0
LAST_RETRY_SECONDS = 300.0
PURGE_SECONDS = 3600.0
UNPROVEN = "it ended the connection without saying that it has read everything"

log = logging.getLogger(__name__)


class AuditKeeper:
    """Has everybody told of what is new, tells of gaps, and purges what is too old.

    `clock` gives the time in s since 1970.
    """

    def __init__(
        self, settings: AuditSettings, auditor: Auditor, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._auditor = auditor
        self._clock = clock
        self._next_purge = 0.0

    def start(self) -> None:
        """Begin, in a thread of its own for each who is told; they end with the process."""
        source = AuditSource(self._settings.source_id, self._settings.site_id)
        for name, listener in self._settings.listeners.items():
            sender = AuditSender(name, listener, source, self._auditor.store)
            self._begin(sender.send_next, f"audit messages to {name}")
        self._begin(self.look_after, "audit trail")

    def look_after(self) -> float:
        """Tell of a gap, and purge if it is time to; seconds until the next turn."""
        self._auditor.settle()
        if self._clock() >= self._next_purge:
            self._next_purge = self._clock() + PURGE_SECONDS
            self._purge()
        return LOOK_SECONDS

    def _purge(self) -> None:
        head = self._auditor.store.head()
        standings = self._auditor.store.standings()
        names = self._settings.listeners
        told = [standings.get(name, CollectorStanding()).position for name in names]
        if head:
            count = self._auditor.purge(self._settings.keep_days, min([head.number, *told]))
            if count:
                log.info("audit trail: %d entries were older than audit.keep_days", count)

    def _begin(self, turn: Callable[[], float], name: str) -> None:
        woken = threading.Event()
        self._auditor.woken.append(woken)
        threading.Thread(target=_keep_on, args=(turn, name, woken), name=name, daemon=True).start()


def _keep_on(turn: Callable[[], float], name: str, woken: threading.Event) -> None:
    while True:
        woken.clear()
        pause = LOOK_SECONDS
        with going_on(name, log):
            pause = turn()
        if pause > LOOK_SECONDS:
            time.sleep(pause)  # what comes meanwhile does not mend what is wrong
        else:
            woken.wait(pause)


class AuditSender:
    """Sends what one collector, or a file, has not got yet.

    `clock` gives the time in s since 1970.
    """

    def __init__(
        self,
        name: str,
        listener: SyslogSettings | Path,
        source: AuditSource,
        store: AuditStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._listener = listener
        self._source = source
        self._store = store
        self._clock = clock
        self._attempts = 0

    def send_next(self) -> float:
        """Send the next entries; seconds until the next turn."""
        standing = self._store.standings().get(self._name, CollectorStanding())
        portion = 1 if self._attempts else PORTION  # on trial, after a failure
        entries = self._store.after(standing.position, portion)
        if not entries:
            return LOOK_SECONDS
        try:
            self._send(entries)
        except OSError as error:
            return self._note_failure(standing, error)
        if self._attempts:
            log.warning("audit messages reach %s again", self._name)
        self._attempts = 0
        self._store.note_standing(self._name, CollectorStanding(entries[-1].number))
        return 0.0

    def _send(self, entries: Sequence[AuditEntry]) -> None:
        messages = [message(entry, self._source) for entry in entries]
        if isinstance(self._listener, Path):
            append(self._listener, messages)
        else:
            stamped = zip(entries, messages, strict=True)
            send(self._listener, [syslog_message(entry.at, text) for entry, text in stamped])

    def _note_failure(self, standing: CollectorStanding, error: OSError) -> float:
        self._attempts += 1
        problem = self._why(error)
        since = standing.failing_since or self._clock()
        if self._attempts == 1:
            log.warning("audit messages do not reach %s: %s", self._name, problem)
        self._store.note_standing(self._name, CollectorStanding(standing.position, since, problem))
        return float(min(FIRST_RETRY_SECONDS * 2 ** (self._attempts - 1), LAST_RETRY_SECONDS))

    def _why(self, error: OSError) -> str:
        said = error.strerror or type(error).__name__
        if isinstance(self._listener, Path):
            return f"{said}: see that its folder is there, and that Hilum may write to it"
        if isinstance(error, ssl.SSLError):
            return meaning_of(error)
        if isinstance(error, ConnectionResetError | BrokenPipeError | TimeoutError):
            return f"{UNPROVEN} ({said}): see that it runs, and that it answers close_notify"
        return f"it cannot be reached ({said}): correct audit.syslog, {RESTART}"


def append(file: Path, messages: Sequence[bytes]) -> None:
    """Write messages to the end of a file, one a line; they are on the disk when this returns.

    It is opened anew each time, so a file that was moved away is begun anew. `OSError` if it cannot
    be written.
    """
    target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        with open(target, "ab", closefd=False) as lines:
            lines.write(b"".join(message + b"\n" for message in messages))
        os.fsync(target)
    finally:
        os.close(target)
