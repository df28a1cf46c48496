"""How each destination stands: whether it answers, and how long it wants to be left alone."""

import logging
from collections.abc import Callable

from hilum.config.kinds import DestinationSettings
from hilum.destinations import open_destination
from hilum.errors import ConfigurationError, DeliveryDelayed
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.models.standings import DestinationStanding
from hilum.records.states import DestinationState, PausedKind
from hilum.transport.retry_after import LONGEST_SECONDS

ANYWAY_SECONDS = 600.0  # without an answer, before one delivery is attempted all the same
EAGER_ATTEMPTS = 5  # what failed more often is not hurried when the destination answers again

log = logging.getLogger(__name__)


class Standings:
    """Of all destinations; `clock` gives the time in s since 1970."""

    def __init__(self, records: Records, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock
        self._tried: dict[str, float] = {}  # unreachable ones: when they were last sent something
        self._held_until: dict[str, float] = {}  # those that asked us to wait

    def is_unreachable(self, name: str) -> bool:
        """Whether a destination did not answer when it was last sent something, or called."""
        standing = self._records.destinations.get(name)
        return standing is not None and standing.state is DestinationState.UNREACHABLE

    def is_still_unreachable(self, settings: DestinationSettings) -> bool:
        """Whether a destination was unreachable, and does not answer now either."""
        if not self.is_unreachable(settings.name):
            return False
        if _answers(settings):
            self.note_answer(settings.name)
            return False
        return True

    def still_answers(self, settings: DestinationSettings, problem: str) -> bool:
        """Whether the trouble was with one delivery only; if not, the destination is at fault."""
        if _answers(settings):
            return True
        log.warning("destination %s does not answer", settings.name)
        self._note(settings.name, DestinationState.UNREACHABLE, problem)
        return False

    def answers_since(self, delivery: Delivery) -> float:
        """Since when (s since 1970) the destination could have shown a delivery to us."""
        standing = self._records.destinations.get(delivery.destination)
        since = standing.since if standing else 0.0
        paused_until = self._records.pauses.ended(PausedKind.DESTINATION)
        return max(delivery.accepted_at or 0.0, since, paused_until.get(delivery.destination, 0.0))

    def try_anyway(self, name: str) -> bool:
        """Whether it has been unreachable so long that an attempt tells more than another call.

        Some archives answer a call late or not at all, and take results all the same.
        """
        standing = self._records.destinations.get(name)
        since = standing.since if standing else 0.0
        if self._clock() - max(since, self._tried.get(name, 0.0)) < ANYWAY_SECONDS:
            return False
        self._tried[name] = self._clock()
        return True

    def note_answer(self, name: str) -> None:
        """Note that the destination is back. What its absence has delayed is due at once."""
        log.warning("destination %s answers again", name)
        self._note(name, DestinationState.REACHABLE, "")
        self._records.deliveries.hurry_all(name, EAGER_ATTEMPTS)

    def hold(self, name: str, error: Exception) -> float:
        """Leave a destination alone for as long as it asks us to; how long that is, in s."""
        pause = error.pause_seconds if isinstance(error, DeliveryDelayed) else 0.0
        if pause:
            self._held_until[name] = self._clock() + pause
        return pause

    def held_seconds(self, name: str) -> float:
        """Seconds in which a destination still wants to be left alone; none if not above 0."""
        held = self._held_until.get(name, 0.0) - self._clock()
        return held if held <= LONGEST_SECONDS else 0.0  # the clock was set back since

    def _note(self, name: str, state: DestinationState, problem: str) -> None:
        standing = DestinationStanding(name, state, self._clock(), problem)
        self._records.destinations.note(standing)


def _answers(settings: DestinationSettings) -> bool:
    """Whether it answers. If our settings do not let us ask, the next attempt tells the cure."""
    try:
        return open_destination(settings).is_reachable()
    except ConfigurationError:
        return True
