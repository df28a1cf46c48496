"""The threads of the gateway that perform the steps of worklists: two for each."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from hilum.config.site import Site
from hilum.errors import SourceDelayed, SourceError
from hilum.logs import going_on
from hilum.performing import Performer
from hilum.performing.standing import WorklistLedger
from hilum.records import Records
from hilum.records.states import WorklistState

REFUSED_SECONDS = 60.0  # before a worklist is asked again that a person has to see to

log = logging.getLogger(__name__)
Note = Callable[[WorklistState, str], None]


def start_performers(site: Site, records: Records) -> None:
    """Perform the steps of every worklist of `site`, in threads that end with this process."""
    for settings in site.worklist:
        name, pause = settings.name, settings.poll_seconds
        performer, ledger = Performer(site, records, settings), WorklistLedger(records, name)
        looks = RepeatedDeed(f"worklist {name}", performer.turn, performer.news, pause, ledger)
        hears = RepeatedDeed(f"events of {name}", performer.listen, performer.subscriptions, pause)
        _start(looks, ledger.note)
        _start(hears, LoggedOnce(hears.called))


def _start(one: "RepeatedDeed", note: Note) -> None:
    threading.Thread(target=one.keep_on, args=(note,), name=one.called, daemon=True).start()


@dataclass
class LoggedOnce:
    """Writes once to the log what is wrong, where nothing else shows it."""

    called: str
    problem: str = ""

    def __call__(self, _state: WorklistState, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s: %s", self.called, problem or "are told again")
        self.problem = problem


@dataclass(frozen=True)
class RepeatedDeed:
    """What is done again and again, after `pause` s or when there are `news`.

    Where there is a `ledger`, not while a person has paused the worklist. In a pause it is told
    nothing, but what it tells is heard: the request to cancel a step is not told twice.
    """

    called: str
    deed: Callable[[], None]
    news: threading.Event
    pause: float
    ledger: WorklistLedger | None = None

    def keep_on(self, note: Note) -> None:
        """Do it for ever."""
        while True:
            self.news.clear()
            seconds = self.pause
            with going_on(self.called, log):
                seconds = self.turn(note)
            self.news.wait(seconds)

    def turn(self, note: Note) -> float:
        """Do it once, unless a person has paused it, and `note` how it went; seconds to wait."""
        if self.ledger and self.ledger.is_paused:
            return self.pause
        seconds, state, problem = self.pause, WorklistState.REACHABLE, ""
        try:
            self.deed()
        except SourceDelayed as error:
            seconds = max(seconds, error.pause_seconds)
            state, problem = WorklistState.UNREACHABLE, str(error)
        except SourceError as error:
            seconds = max(seconds, REFUSED_SECONDS)
            state, problem = WorklistState.REFUSED, str(error)
        note(state, problem)
        return seconds
