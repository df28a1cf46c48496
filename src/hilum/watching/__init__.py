"""Watch one archive: fetch what is new into the inbox, tell the gateway, remember how far we are.

The cursor is written down only after everything it covers is durable in the inbox or noted as not
to be had, so a process killed at any moment repeats a little and loses nothing. After any trouble
the watch resumes from that cursor and compares the whole archive once.
"""

import logging
import time
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from hilum.config.kinds import SourceSettings
from hilum.config.site import Site
from hilum.errors import SourceDelayed, SourceError, where
from hilum.processes.hints import HintSender, Started
from hilum.records import Records
from hilum.records.states import SourceState
from hilum.sources import Portion, open_source
from hilum.watching.fetching import Fetching, Pace
from hilum.watching.standing import SourceLedger

LIVELY_SECONDS = 2.0  # after an image, more are likely
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.25, 5.0
PAUSED_SECONDS = 10.0  # between two looks whether it is still paused; whoever ends that wakes us
REFUSED_SECONDS = 15.0  # a wrong password too often may lock the account
USUAL_PACE = Pace()
SWEEP_SHARE = 10  # sweeps take at most one part in so many of the time
ODD = (LookupError, TypeError, ValueError, AttributeError)  # an answer in another form than known

log = logging.getLogger(__name__)


class Watch:
    """One source of `site`. Call `turn` again and again; it never raises for a fault outside.

    That is the archive, the disk or the records. Only to begin, the records have to be there.
    """

    def __init__(
        self,
        site: Site,
        settings: SourceSettings,
        records: Records,
        hints: HintSender,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self.settings = settings
        self._standing = SourceLedger(records, settings.name)
        self.source = open_source(settings)
        self._fetching = Fetching(
            site, settings.wait_seconds, self.source, records, hints, self._standing, pace
        )
        self._sweep: Iterator[Portion] | None = None
        self._next_sweep = self._sweep_seconds = 0.0
        self._retry = FIRST_RETRY_SECONDS
        self._resumed = False
        self._idle_pause = settings.poll_seconds
        self._lively_pause = min(self._idle_pause, self.source.lively_pause)
        hints.send(Started())

    def turn(self) -> float:
        """Look at the archive once; the seconds to wait before the next look."""
        started = time.monotonic()
        name = self.settings.name
        try:
            if self._standing.is_paused:
                self._resumed = False  # then the whole archive is compared
                return PAUSED_SECONDS
            if not self._resumed:
                self._resume()
            self._follow_news()
            self._follow_sweep()
            self._fetching.fetch_due()
            self._standing.answered()
        except SourceError as error:
            is_delayed = isinstance(error, SourceDelayed)
            state = SourceState.UNREACHABLE if is_delayed else SourceState.REFUSED
            asked = error.pause_seconds if isinstance(error, SourceDelayed) else 0.0
            return max(self._failed(state, str(error)), asked)
        except OSError as error:
            text = f"{name}: cannot be stored here: {error.strerror}"
            return self._failed(SourceState.NO_ROOM, text)
        except SQLAlchemyError as error:
            text = f"{name}: our records cannot be used ({type(error).__name__})"
            return self._failed(SourceState.NO_RECORDS, text)
        except ODD as error:
            text = f"{name}: answers in an unexpected form ({where(error)})"
            return self._failed(SourceState.REFUSED, text)
        self._retry = FIRST_RETRY_SECONDS
        self._fetching.catching_up = False
        if self._fetching.last_fetch < started:
            self._fetching.release(started, self._lively_pause)
        return self._pause(time.monotonic() - started)

    def _resume(self) -> None:
        cursor = self.source.resume(self._standing.cursor, self._fetching.holdings)
        self._standing.begin(cursor)
        self._fetching.queue.clear()
        self._sweep = None
        self._next_sweep = 0.0
        self._resumed = self._fetching.catching_up = True

    def _follow_news(self) -> None:
        if self._fetching.queue.is_full():
            return
        for portion in self.source.news():
            if portion.broken:
                log.warning("source %s: %s", self.settings.name, portion.broken)
                self._sweep, self._next_sweep = None, 0.0
            self._fetching.accept(portion)
            self._fetching.fetch_due()
            if self._fetching.queue.is_full():
                return

    def _follow_sweep(self) -> None:
        """Make one step of a sweep, if it is time for one. The news must not wait for all of it."""
        if self._fetching.queue.is_full():
            return
        started = time.monotonic()
        if self._sweep is None:
            if started < self._next_sweep:
                return
            self._sweep, self._sweep_seconds = self.source.sweep(), 0.0
        portion = next(self._sweep, None)
        self._sweep_seconds += time.monotonic() - started
        if portion is not None:
            self._fetching.accept(portion)
            return
        self._sweep = None
        pause = max(self.settings.sweep_seconds, SWEEP_SHARE * self._sweep_seconds)
        self._next_sweep = time.monotonic() + pause

    def _failed(self, state: SourceState, problem: str) -> float:
        """Note why the archive cannot be watched; the seconds to wait before trying again."""
        self._standing.failed(state, problem)
        self._resumed = False
        pause = REFUSED_SECONDS if state is SourceState.REFUSED else self._retry
        self._retry = min(2 * self._retry, LAST_RETRY_SECONDS)
        return pause

    def _pause(self, spent: float) -> float:
        queue = self._fetching.queue
        if self._sweep is not None and not queue.is_full():
            return 0.0
        now = time.monotonic()
        if now - self._fetching.last_fetch < LIVELY_SECONDS:
            return self._lively_pause
        # A slow archive is asked at most half of the time.
        return min(max(self._idle_pause, spent), max(0.0, queue.due - now))
