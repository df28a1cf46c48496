"""How a worklist stands: the row of the records that alarms, commands and the console show."""

import logging
import time
from collections.abc import Callable

from hilum.records import Records
from hilum.records.models.standings import WorklistStanding
from hilum.records.states import PausedKind, WorklistState

log = logging.getLogger(__name__)


class WorklistLedger:
    """The row of one worklist, written only when it changes."""

    def __init__(self, records: Records, name: str, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._name = name
        self._clock = clock

    @property
    def is_paused(self) -> bool:
        """Whether a person wants the worklist left alone."""
        return self._records.pauses.get(PausedKind.WORKLIST, self._name) is not None

    def note(self, state: WorklistState, problem: str = "") -> None:
        """Note how it stands; `problem` says why it cannot be worked from, for a person."""
        before = self._records.worklists.all().get(self._name)
        if before and (before.state, before.problem) == (state, problem):
            return
        if problem:
            log.warning("worklist %s is %s: %s", self._name, state, problem)
        else:
            log.info("worklist %s is %s", self._name, state)
        since = before.since if before and before.state is state else self._clock()
        self._records.worklists.note(WorklistStanding(self._name, state, since, problem))
