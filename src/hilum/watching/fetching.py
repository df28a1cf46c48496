"""Fetch what an archive listed into the inbox, and tell the gateway. One lost image stops no other.

An image that cannot be fetched while the archive itself answers goes back into the queue; after
some attempts it rests, and its study's trace says so.
"""

import heapq
import itertools
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from itertools import repeat

from hilum.config.site import Site
from hilum.errors import SourceDelayed, SourceError, SourceRefused, where
from hilum.hints import Counted, HintSender, Released, hint_of
from hilum.inbox import Inbox, Intake
from hilum.inbox.room import require_room
from hilum.records import Records
from hilum.records.states import EventKind
from hilum.sources import Listed, Portion, Source
from hilum.transport.batches import batches
from hilum.watching.holdings import SiteHoldings
from hilum.watching.standing import SourceLedger

FETCHERS = 4
BATCH_SHARE = 8  # instances in memory at one time take at most one part in so many of the limit
LARGEST_SHARE = 4  # a single one at most one in so many: it exists up to three times for a moment

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How soon an image that could not be fetched is tried again, and how many may wait.

    After the last of `retry_seconds` it rests for `rest_seconds`. No more is listed while over
    `most_waiting` instances wait.
    """

    retry_seconds: tuple[float, ...] = (1.0, 5.0)
    rest_seconds: float = 600.0
    most_waiting: int = 5000

    @property
    def tries(self) -> int:
        """How often an image is asked for before it rests."""
        return len(self.retry_seconds) + 1


@dataclass(frozen=True, order=True)
class Waiting:
    """A portion, and those of its instances that are to be fetched, not before `due`."""

    due: float
    serial: int
    instances: tuple[Listed, ...] = field(compare=False)
    portion: Portion = field(compare=False)
    moves_cursor: bool = field(compare=False)  # False: tried again, the cursor is further already


class Queue:
    """A queue of what is to be fetched, by the time it is due; each instance once."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._heap: list[Waiting] = []
        self._uids: set[str] = set()
        self._serials = itertools.count()

    def is_full(self) -> bool:
        """Whether the queue is so long that no more should be listed for now."""
        return len(self._uids) > self._most_waiting

    @property
    def due(self) -> float:
        """The time at which the next one is due, by the monotonic clock."""
        return self._heap[0].due if self._heap else float("inf")

    def add(
        self, due: float, instances: Iterable[Listed], portion: Portion, moves_cursor: bool = True
    ) -> tuple[Listed, ...]:
        """Put those of `instances` in the queue that are not in it yet; return them."""
        added = tuple(i for i in instances if i.sop_instance_uid not in self._uids)
        self._uids.update(i.sop_instance_uid for i in added)
        waiting = Waiting(due, next(self._serials), added, portion, moves_cursor)
        heapq.heappush(self._heap, waiting)
        return added

    def take(self) -> Waiting:
        """Take the next one, due or not."""
        waiting = heapq.heappop(self._heap)
        self._uids.difference_update(i.sop_instance_uid for i in waiting.instances)
        return waiting

    def clear(self) -> None:
        self._heap.clear()
        self._uids.clear()


@dataclass(frozen=True)
class _Failure:
    """Why one instance could not be fetched although the archive answers."""

    text: str
    is_final: bool = False  # trying again soon will not help


class _Not(Enum):
    """Why an instance was not stored."""

    THERE = "the archive listed it, but does not hold it"
    ASKED = "the archive or our disk failed at another one"


_Taken = Intake | _Not | _Failure | Exception


class Fetching:
    """The images of one source on their way into the inbox of `site`."""

    def __init__(
        self,
        site: Site,
        wait_seconds: float,
        source: Source,
        records: Records,
        hints: HintSender,
        standing: SourceLedger,
        pace: Pace,
    ) -> None:
        self._pace = pace
        self._site = site
        self._wait_seconds = wait_seconds
        self._source = source
        self._records = records
        self._hints = hints
        self._standing = standing
        self._memory = site.receiver.memory_mb << 20
        self._inbox = Inbox(site.data)
        self.holdings = SiteHoldings(self._inbox, records)
        self.queue = Queue(pace.most_waiting)
        self.last_fetch = float("-inf")
        self.catching_up = False
        self._pool = ThreadPoolExecutor(FETCHERS, "fetch")
        self._caller = f"{source.name} (source)"
        self._association = ""  # what is fetched in one go acts like an association
        self._failures: Counter[str] = Counter()  # by SOP Instance UID
        self._resting: dict[str, float] = {}

    def accept(self, portion: Portion) -> None:
        """Put a portion in the queue, without what waits or rests."""
        now = time.monotonic()
        awake = (i for i in portion.instances if self._resting.get(i.sop_instance_uid, 0) <= now)
        added = self.queue.add(now + self._wait_seconds, awake, portion)
        for series in dict.fromkeys((i.study_uid, i.series_uid) for i in added):
            self._tell_count(series, portion.counts.get(series, 0))

    def fetch_due(self) -> None:
        """Store everything that is due and still missing, unless a person pauses the source.

        Raises
        ------
        SourceError
            The archive itself does not answer as it should.
        OSError
            Nothing can be stored here.
        """
        while self.queue.due <= time.monotonic() and not self._standing.is_paused:
            waiting = self.queue.take()
            self._fetch(waiting)
            if waiting.moves_cursor:
                self._standing.done(waiting.portion)

    def release(self, now: float, pause: float) -> None:
        """Tell the gateway that the archive has had no more for a while, and was asked since."""
        if self._association and now - self.last_fetch >= pause:
            self._hints.send(Released(self._association, self._caller, "has no more for now"))
            self._association = ""

    def _fetch(self, waiting: Waiting) -> None:
        instances: Iterable[Listed] = waiting.instances
        if self._wait_seconds:
            instances = [i for i in instances if not self.holdings.holds(i)]
        counts = Counter(waiting.portion.counts)
        limit = self._memory // BATCH_SHARE
        for batch in batches(instances, lambda i: i.size or limit // FETCHERS, limit):
            require_room(self._site.data, self._site.receiver.low_water_mb)
            self._association = self._association or uuid.uuid4().hex[:12]
            self._fetch_batch(batch, counts)

    def _fetch_batch(self, batch: Sequence[Listed], counts: Counter[tuple[str, str]]) -> None:
        outcomes = list(self._pool.map(self._take, batch, repeat(threading.Event())))
        if stored := outcomes.count(Intake.STORED):
            self.last_fetch = time.monotonic()
            self._standing.stored(stored)
        for instance, outcome in zip(batch, outcomes, strict=True):
            self._settle(instance, outcome, counts)
        if error := next((o for o in outcomes if isinstance(o, Exception)), None):
            raise error

    def _take(self, instance: Listed, halt: threading.Event) -> _Taken:
        """Fetch and store one instance, in a thread of its own.

        Where not the instance but the archive or our disk fails, set `halt` and give the error.
        """
        if halt.is_set():
            return _Not.ASKED
        try:
            content = self._source.fetch(instance, self._memory // LARGEST_SHARE)
            if content is None:
                return _Not.THERE
            stored = self._inbox.store(content, self._source.name)
        except OSError as error:
            halt.set()
            return error
        except Exception as error:  # noqa: BLE001 - whatever one image brings about stays its own
            if trouble := self._trouble():
                halt.set()
                return trouble
            is_known = isinstance(error, SourceError)
            text = str(error) if is_known else f"an answer in an unexpected form ({where(error)})"
            return _Failure(text, not isinstance(error, SourceDelayed | SourceRefused))
        self.holdings.note(instance, stored, content)
        late = self.catching_up or self._wait_seconds > 0  # our pause, not the sender's
        self._hints.send(hint_of(stored, self._association, self._caller, instance.study_uid, late))
        return stored.outcome

    def _trouble(self) -> Exception | None:
        """What is wrong with the archive itself, if anything."""
        try:
            self._source.describe()
        except Exception as error:  # noqa: BLE001 - around one look at a plug-in: it is the answer
            return error
        return None

    def _settle(self, instance: Listed, outcome: _Taken, counts: Counter[tuple[str, str]]) -> None:
        """Note what was fetched and what was not. `counts`: how many images a series is to have."""
        if outcome is _Not.THERE:  # deleted since it was listed: one fewer to wait for
            series = instance.study_uid, instance.series_uid
            counts[series] -= 1
            self._tell_count(series, counts[series])
            # Unless it is listed again, it was deleted, and nobody has to be told.
            self._note_failure(instance, "it is listed, but not there when asked for")
        elif isinstance(outcome, _Failure):
            tries = self._note_failure(instance, outcome.text, outcome.is_final)
            if tries < self._pace.tries:
                again = Portion((instance,), "", counts)
                due = time.monotonic() + self._pace.retry_seconds[tries - 1]
                self.queue.add(due, again.instances, again, moves_cursor=False)
        elif isinstance(outcome, Intake):
            self._failures.pop(instance.sop_instance_uid, None)
            self._resting.pop(instance.sop_instance_uid, None)

    def _note_failure(self, instance: Listed, text: str, is_final: bool = False) -> int:
        """Count the attempts; after the last of them the instance rests, and its trace says why."""
        uid = instance.sop_instance_uid
        self._failures[uid] += self._pace.tries if is_final else 1
        if self._failures[uid] >= self._pace.tries:
            is_first = uid not in self._resting
            self._resting[uid] = time.monotonic() + self._pace.rest_seconds
            if is_first:
                text = f"one image cannot be fetched: {text}"
                self._records.events.add(instance.study_uid, EventKind.NOT_FETCHED, text)
                self._standing.lacks(text)
                log.error("study %s: %s", instance.study_uid, text)
        return self._failures[uid]

    def _tell_count(self, series: tuple[str, str], images: int) -> None:
        self._hints.send(Counted(*series, images))
