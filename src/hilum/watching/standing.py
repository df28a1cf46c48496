"""How a source stands: the row of the records that `status` and the console show."""

import logging
import time
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from hilum.records import Records
from hilum.records.models.standings import SourceStanding
from hilum.records.states import PausedKind, SourceState
from hilum.sources import Portion

SEEN_SECONDS = 5.0  # how often it is written down that the archive answers
PROGRESS_SECONDS = 10.0

log = logging.getLogger(__name__)


class SourceLedger:
    """The row of one source, written only when it changes."""

    def __init__(self, records: Records, name: str) -> None:
        self._records = records
        new = SourceStanding(name, SourceState.STARTING, time.time())
        self._now = records.sources.begin(new)
        self._last_progress = float("-inf")

    @property
    def cursor(self) -> str:
        """The cursor that `Source.resume` goes on from, "" before the first use."""
        return self._now.cursor

    @property
    def is_paused(self) -> bool:
        """Whether a person wants the archive left alone."""
        return self._records.pauses.get(PausedKind.SOURCE, self._now.name) is not None

    def begin(self, cursor: str) -> None:
        """Note that the source has resumed with `cursor`."""
        if not self.cursor:
            log.info("source %s: first use, cursor %s", self._now.name, cursor)
        self._write(replace(self._now, cursor=cursor))

    def stored(self, images: int) -> None:
        """Note how many new images are durable in the inbox."""
        self._write(replace(self._now, fetched=self._now.fetched + images, fetched_at=time.time()))

    def done(self, portion: Portion) -> None:
        """Note that all of `portion` is durable in the inbox, or could not be had."""
        self._write(replace(self._now, cursor=portion.cursor, behind=portion.behind))
        now = time.monotonic()
        if portion.behind and now - self._last_progress > PROGRESS_SECONDS:
            self._last_progress = now
            text = "source %s: %d images fetched, %d changes behind"
            log.info(text, self._now.name, self._now.fetched, portion.behind)

    def answered(self) -> None:
        """Note that the archive did what it was asked."""
        now = time.time()
        if self._now.state is not SourceState.REACHABLE:
            log.info("source %s is reachable", self._now.name)
            state = SourceState.REACHABLE
            self._write(replace(self._now, state=state, since=now, seen_at=now))
        elif now - (self._now.seen_at or 0.0) > SEEN_SECONDS:
            self._write(replace(self._now, seen_at=now))

    def lacks(self, problem: str) -> None:
        """Note that the archive answers and does not give everything; `problem` as for `failed`."""
        self._write(replace(self._now, problem=problem, problem_at=time.time()))

    def failed(self, state: SourceState, problem: str) -> None:
        """Note that the archive cannot be watched now; `problem` says why, in words for a person.

        Where the records are what fails, it is only logged.
        """
        if (self._now.state, self._now.problem) == (state, problem):
            return
        now = time.time()
        log.warning("source %s is %s: %s", self._now.name, state, problem)
        since = now if self._now.state is not state else self._now.since
        values = replace(self._now, state=state, since=since, problem=problem, problem_at=now)
        try:
            self._write(values)
        except SQLAlchemyError as error:
            text = "source %s: its state cannot be recorded (%s)"
            log.warning(text, self._now.name, type(error).__name__)

    def _write(self, standing: SourceStanding) -> None:
        if standing != self._now:
            self._records.sources.note(standing)
            self._now = standing
