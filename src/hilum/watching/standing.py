"""How a source stands: the row of the records that `status` and the console show."""

import logging
import time
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from hilum.records import Records, tables
from hilum.sources import Portion

SEEN_SECONDS = 5.0  # how often it is written down that the archive answers
PROGRESS_SECONDS = 10.0

log = logging.getLogger(__name__)


class Standing:
    """The row of one source, written only when it changes."""

    def __init__(self, records: Records, name: str) -> None:
        records.put(tables.source, name=name, state="starting", since=time.time())
        self._records = records
        self._row = records.one(tables.source, name=name)
        self._last_progress = float("-inf")

    @property
    def cursor(self) -> str:
        """The cursor that `Source.resume` goes on from, "" before the first use."""
        return str(self._row["cursor"])

    def begin(self, cursor: str) -> None:
        """Note that the source has resumed with `cursor`."""
        if not self.cursor:
            log.info("source %s: first use, cursor %s", self._row["name"], cursor)
        self._write(cursor=cursor)

    def stored(self, images: int) -> None:
        """Note how many new images are durable in the inbox."""
        self._write(fetched=self._row["fetched"] + images, fetched_at=time.time())

    def done(self, portion: Portion) -> None:
        """Note that all of `portion` is durable in the inbox, or could not be had."""
        self._write(cursor=portion.cursor, behind=portion.behind)
        now = time.monotonic()
        if portion.behind and now - self._last_progress > PROGRESS_SECONDS:
            self._last_progress = now
            text = "source %s: %d images fetched, %d changes behind"
            log.info(text, self._row["name"], self._row["fetched"], portion.behind)

    def answered(self) -> None:
        """Note that the archive did what it was asked."""
        now = time.time()
        if self._row["state"] != "reachable":
            log.info("source %s is reachable", self._row["name"])
            self._write(state="reachable", since=now, seen_at=now)
        elif now - self._row["seen_at"] > SEEN_SECONDS:
            self._write(seen_at=now)

    def lacks(self, problem: str) -> None:
        """Note that the archive answers and does not give everything; `problem` as for `failed`."""
        self._write(problem=problem, problem_at=time.time())

    def failed(self, state: str, problem: str) -> None:
        """Note that the archive cannot be watched now; `problem` says why, in words for a person.

        Where the records are what fails, it is only logged.
        """
        if (self._row["state"], self._row["problem"]) == (state, problem):
            return
        now = time.time()
        log.warning("source %s is %s: %s", self._row["name"], state, problem)
        since = now if self._row["state"] != state else self._row["since"]
        try:
            self._write(state=state, since=since, problem=problem, problem_at=now)
        except SQLAlchemyError as error:
            text = "source %s: that cannot be written down (%s)"
            log.warning(text, self._row["name"], type(error).__name__)

    def _write(self, **values: Any) -> None:
        changed = {key: value for key, value in values.items() if self._row[key] != value}
        if changed:
            self._records.change(tables.source, {"name": self._row["name"]}, **changed)
            self._row.update(changed)
