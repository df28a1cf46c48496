"""Watch one archive: fetch what is new into the inbox, tell the gateway, remember how far we are.

The cursor is written down only after everything it covers is durable in the inbox, so a process
killed at any moment repeats a little and loses nothing. After any trouble the watch resumes from
that cursor and compares the whole archive once.
"""

import errno
import logging
import os
import shutil
import signal
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import repeat
from pathlib import Path
from typing import Any

from hilum.config import Site, Source
from hilum.engine.host import where
from hilum.engine.process import die_with_parent
from hilum.errors import SourceDelayed, SourceError, SourceRefused
from hilum.hints import HintReceiver, HintSender, wake_address
from hilum.holdings import Shelf
from hilum.inbox import Inbox, Outcome
from hilum.logs import configure_logging
from hilum.records import Records
from hilum.sources import Listed, Portion, open_source
from hilum.standing import Standing

PAUSES = {"orthanc": (0.25, 0.25), "dicomweb": (5.0, 1.0)}  # seconds: idle, while images come
LIVELY_SECONDS = 2.0  # after an image, more are likely
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.25, 5.0
REFUSED_SECONDS = 15.0  # a wrong password too often may lock the account
SWEEP_SHARE = 10  # sweeps take at most one part in so many of the time
FETCHERS = 4
BATCH_SHARE = 8  # instances in memory at one time take at most one part in so many of the limit
LARGEST_SHARE = 4  # a single one at most one in so many: it exists up to three times for a moment
MOST_WAITING = 5000  # instances
TRIES = 3
REST_SECONDS = 600.0  # before an instance that cannot be fetched is tried again
TROUBLE = (SourceDelayed, SourceRefused, OSError)  # likely to befall every other image as well
ODD = (LookupError, TypeError, ValueError, AttributeError)  # an answer in another form than known

log = logging.getLogger(__name__)


def serve(site: Site, source: Source, database: str, hints: Path) -> None:
    """Watch `source` until the process ends; `hints` is the socket of the gateway.

    Meant as the target of a spawned process. It need not be stopped in order: whatever is not
    written down is done again.
    """
    die_with_parent()
    configure_logging(site.data)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which tells us
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    watch = Watch(site, source, Records(database), HintSender(hints))
    wake = HintReceiver(wake_address(site.data, source.name))
    while True:
        wake.receive(timeout=watch.turn())


@dataclass(frozen=True)
class _Waiting:
    """A portion and the instances of it that are to be fetched, not before `due`."""

    due: float
    instances: tuple[Listed, ...]
    portion: Portion


class _Not(Enum):
    """Why an instance was not stored."""

    THERE = "deleted since it was listed"
    ASKED = "another one failed before"


class Watch:
    """One source of `site`. Call `turn` again and again; it never raises for a fault outside."""

    def __init__(self, site: Site, settings: Source, records: Records, hints: HintSender) -> None:
        self.settings = settings
        self.source = open_source(settings)
        self._site = site
        self._memory = site.receiver.memory_mb << 20
        self._records = records
        self._hints = hints
        self._inbox = Inbox(site.data)
        self._shelf = Shelf(self._inbox, records)
        self._pool = ThreadPoolExecutor(FETCHERS, "fetch")
        self._waiting: deque[_Waiting] = deque()
        self._sweep: Iterator[Portion] | None = None
        self._next_sweep = self._sweep_seconds = 0.0
        self._association = ""  # what is fetched in one go acts like an association
        self._failures: Counter[str] = Counter()  # by SOP Instance UID
        self._resting: dict[str, float] = {}
        self._retry = FIRST_RETRY_SECONDS
        self._last_fetch = float("-inf")
        self._standing = Standing(records, settings.name)
        hints.send("started")
        self._resumed = self._catching_up = False
        idle, lively = PAUSES[settings.kind]
        self._lively_pause = min(settings.poll_seconds or idle, lively)

    # One turn -------------------------------------------------------------------------------------

    def turn(self) -> float:
        """Look at the archive once; the seconds to wait before the next look."""
        started = time.monotonic()
        try:
            if not self._resumed:
                self._resume()
            self._follow_news()
            self._follow_sweep()
            self._fetch_due()
        except SourceError as error:
            refused = not isinstance(error, SourceDelayed)
            return self._failed("refused" if refused else "unreachable", str(error), refused)
        except OSError as error:
            text = f"{self.settings.name}: cannot be stored here: {error.strerror}"
            return self._failed("no room", text)
        except ODD as error:
            text = f"{self.settings.name}: answers in an unexpected form ({where(error)})"
            return self._failed("refused", text, refused=True)
        self._standing.answered()
        self._retry = FIRST_RETRY_SECONDS
        self._catching_up = False
        if self._last_fetch < started:
            self._release(started)
        return self._pause(time.monotonic() - started)

    def _resume(self) -> None:
        self._standing.begin(self.source.resume(self._standing.cursor, self._shelf))
        self._waiting.clear()
        self._sweep = None
        self._next_sweep = 0.0
        self._resumed = self._catching_up = True

    def _follow_news(self) -> None:
        if self._is_full():
            return
        for portion in self.source.news():
            if portion.broken:
                log.warning("source %s: %s", self.settings.name, portion.broken)
                self._sweep, self._next_sweep = None, 0.0
            self._accept(portion)
            self._fetch_due()
            if self._is_full():
                return

    def _is_full(self) -> bool:
        return sum(len(waiting.instances) for waiting in self._waiting) > MOST_WAITING

    def _follow_sweep(self) -> None:
        """One step of a sweep, if it is time for one: the news must not wait for all of it."""
        started = time.monotonic()
        if self._sweep is None:
            if started < self._next_sweep:
                return
            self._sweep, self._sweep_seconds = self.source.sweep(), 0.0
        portion = next(self._sweep, None)
        self._sweep_seconds += time.monotonic() - started
        if portion is not None:
            self._accept(portion)
            return
        self._sweep = None
        pause = max(self.settings.sweep_seconds, SWEEP_SHARE * self._sweep_seconds)
        self._next_sweep = time.monotonic() + pause

    def _accept(self, portion: Portion) -> None:
        """Put a portion in the queue, without what waits there already."""
        queued = {i.sop_instance_uid for waiting in self._waiting for i in waiting.instances}
        now = time.monotonic()
        instances = tuple(
            i
            for i in portion.instances
            if i.sop_instance_uid not in queued and self._resting.get(i.sop_instance_uid, 0) <= now
        )
        for series in dict.fromkeys((i.study_uid, i.series_uid) for i in instances):
            self._tell_count(series, portion.counts.get(series, 0))
        self._waiting.append(_Waiting(now + self.settings.wait_seconds, instances, portion))

    # Fetching -------------------------------------------------------------------------------------

    def _fetch_due(self) -> None:
        while self._waiting and self._waiting[0].due <= time.monotonic():
            self._fetch(self._waiting[0])
            self._standing.done(self._waiting.popleft().portion)

    def _fetch(self, waiting: _Waiting) -> None:
        """Store every instance that is still missing; raise the first error that comes up."""
        instances: Iterable[Listed] = waiting.instances
        if self.settings.wait_seconds:
            instances = [i for i in instances if not self._shelf.holds(i)]
        counts = Counter(waiting.portion.counts)
        for batch in _batches(instances, self._memory // BATCH_SHARE):
            self._require_room()
            self._association = self._association or uuid.uuid4().hex[:12]
            outcomes = list(self._pool.map(self._take, batch, repeat(threading.Event())))
            if stored := sum(outcome is Outcome.STORED for outcome in outcomes):
                self._last_fetch = time.monotonic()
                self._standing.stored(stored)
            for instance, outcome in zip(batch, outcomes, strict=True):
                if outcome is _Not.THERE:  # deleted since it was listed: one fewer to wait for
                    series = instance.study_uid, instance.series_uid
                    counts[series] -= 1
                    self._tell_count(series, counts[series])
                elif isinstance(outcome, SourceError):
                    self._note_failure(instance, outcome)
                elif isinstance(outcome, Outcome):
                    self._failures.pop(instance.sop_instance_uid, None)
                    self._resting.pop(instance.sop_instance_uid, None)
            if error := next((o for o in outcomes if isinstance(o, TROUBLE)), None):
                raise error

    def _take(self, instance: Listed, halt: threading.Event) -> Outcome | _Not | Exception:
        """Fetch and store one instance, in a thread of its own; after an error set `halt`."""
        if halt.is_set():
            return _Not.ASKED
        try:
            content = self.source.fetch(instance, self._memory // LARGEST_SHARE)
            if content is None:
                return _Not.THERE
            stored = self._inbox.store(content)
        except TROUBLE as error:
            halt.set()
            return error
        except SourceError as error:
            return error
        self._shelf.note(instance, stored, content)
        self._tell(
            stored.outcome.value,
            path=str(stored.path),
            study=instance.study_uid,
            reason=stored.reason,
            late=self._catching_up,
        )
        return stored.outcome

    def _note_failure(self, instance: Listed, error: SourceError) -> None:
        """Let an instance rest that is too large, or failed again and again, unlike the others."""
        uid = instance.sop_instance_uid
        self._failures[uid] += 1 if isinstance(error, TROUBLE) else TRIES
        if self._failures[uid] < TRIES:
            return
        is_first = uid not in self._resting
        self._resting[uid] = time.monotonic() + REST_SECONDS
        if is_first:
            text = f"one image cannot be fetched: {error}"
            self._records.add_event(instance.study_uid, "not fetched", text)
            log.error("study %s: %s", instance.study_uid, text)

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._site.data).free
        if free < self._site.receiver.low_water_mb << 20:
            raise OSError(errno.ENOSPC, "the disk is below receiver.low_water_mb")

    # What the others get to know ------------------------------------------------------------------

    def _tell(self, event: str, **fields: Any) -> None:
        caller = f"{self.settings.name} (source)"
        self._hints.send(event, association=self._association, caller=caller, **fields)

    def _tell_count(self, series: tuple[str, str], images: int) -> None:
        self._tell("counted", study=series[0], series=series[1], images=images)

    def _release(self, now: float) -> None:
        """The archive has had no more for a while, and been asked since: tell the gateway."""
        if self._association and now - self._last_fetch >= self._lively_pause:
            self._tell("released", sign="has no more for now")
            self._association = ""

    def _failed(self, state: str, problem: str, refused: bool = False) -> float:
        """Note why the archive cannot be watched; the seconds to wait before trying again."""
        self._standing.failed(state, problem)
        self._resumed = False
        pause = REFUSED_SECONDS if refused else self._retry
        self._retry = min(2 * self._retry, LAST_RETRY_SECONDS)
        return pause

    def _pause(self, spent: float) -> float:
        if self._sweep is not None:
            return 0.0
        now = time.monotonic()
        if now - self._last_fetch < LIVELY_SECONDS:
            return self._lively_pause
        # A slow archive is asked at most half of the time.
        pause = max(self.settings.poll_seconds or PAUSES[self.settings.kind][0], spent)
        return min(pause, max(0.0, self._waiting[0].due - now)) if self._waiting else pause


def _batches(instances: Iterable[Listed], limit: int) -> Iterator[list[Listed]]:
    """Groups of at most `limit` bytes, to be in memory at one time; a larger instance is alone."""
    batch: list[Listed] = []
    size = 0
    for instance in instances:
        length = instance.size or limit // FETCHERS
        if batch and size + length > limit:
            yield batch
            batch, size = [], 0
        batch.append(instance)
        size += length
    if batch:
        yield batch
