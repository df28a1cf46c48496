"""The outbox: what every destination still has to show, and when it is tried again.

A delivery is a row of the records, and nothing else: to go on after a crash, the destination is
asked what it does not hold. Every destination has a thread of its own, so one that is down, slow or
hanging delays no other. One that does not answer is called every few seconds and gets everything at
once when it does; one that answers, but cannot take an object now, is tried again after pauses that
grow to half an hour, for days.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hilum.config.kinds import DestinationSettings
from hilum.config.site import Site
from hilum.destinations import Destination, open_destination
from hilum.errors import ConfigurationError, DeliveryDelayed, HilumError, where
from hilum.logs import going_on
from hilum.records import Records
from hilum.records.models import Delivery, DestinationStanding
from hilum.records.states import DeliveryState, DestinationState, WorkitemKind, WorkitemState
from hilum.results import Result
from hilum.wording import counted
from hilum.workitems import Workitems

READ_BACK_PAUSES = (0.0, 0.1, 0.3, 1.0, 3.0)  # an archive may need a moment to index
FIRST_RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 1800.0
CALL_SECONDS = 3.0  # between two calls to a destination that is unreachable
ANYWAY_SECONDS = 600.0  # without an answer, before one delivery is attempted all the same
IDLE_SECONDS = 10.0  # whoever has something to deliver wakes us
LOOK_SECONDS = 1.0  # where several machines may work: a worker elsewhere cannot wake us
EAGER_ATTEMPTS = 5  # what failed more often is not hurried when the destination answers again
DEFINE_IT = "define it, restart Hilum, then run `hilum release`"

log = logging.getLogger(__name__)


class Outbox:
    """The deliveries of `site`.

    `clock` gives the time in s since 1970; tests let hours pass. A destination that does not show
    at once what it was sent is asked again after each of the `read_back_pauses` (s).
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        workitems: Workitems,
        clock: Callable[[], float] = time.time,
        read_back_pauses: Sequence[float] = READ_BACK_PAUSES,
    ) -> None:
        self._read_back_pauses = read_back_pauses
        self._site = site
        self._records = records
        self._workitems = workitems
        self._clock = clock
        self._wakers: dict[str, threading.Event] = {}
        self._tried: dict[
            str, float
        ] = {}  # unreachable ones, and when they were last sent something
        self._stopping = False

    def start(self) -> None:
        """Deliver in threads of this process until `stop`."""
        self._close_undefined()
        for settings in self._site.destination:
            self._wakers[settings.name] = threading.Event()
            threading.Thread(
                target=self._keep_delivering, args=(settings,), name=settings.name, daemon=True
            ).start()

    def wake(self) -> None:
        """Wake the threads: there may be something new to deliver."""
        for waker in self._wakers.values():
            waker.set()

    def stop(self) -> None:
        """Begin no further attempt. One under way is finished, or repeated after the next start."""
        self._stopping = True
        self.wake()

    def owed(self, workitem_id: str, destination: str, variant: str, images: bool) -> Delivery:
        """A new delivery: `destination` is to receive a variant of the results, and the images."""
        return Delivery(
            workitem_id,
            destination,
            variant,
            images=images,
            state=DeliveryState.WAITING,
            owed_at=self._clock(),
        )

    def deliver_next(self, settings: DestinationSettings) -> float:
        """Attempt the first delivery that is due at a destination; seconds until the next turn."""
        unreachable = self._is_unreachable(settings.name)
        if unreachable and _answers(settings):
            self._note_answer(settings.name)
            unreachable = False
        if unreachable and not self._try_anyway(settings.name):
            return CALL_SECONDS
        delivery = self._records.deliveries.first_due(settings.name, self._clock())
        if delivery is None:
            return self._pause(settings.name)
        item = self._records.workitems.one(delivery.workitem_id)
        if item.state in (WorkitemState.WITHDRAWN, WorkitemState.CANCELLED):
            text = "not sent, because the result was taken back"
            self._records.deliveries.note_cancelled(delivery, text)
            return 0.0
        answers = self._attempt(delivery, settings, unreachable)
        if unreachable and answers:
            self._note_answer(settings.name)
        self.settle(item.id)
        return 0.0 if answers else CALL_SECONDS

    def _attempt(
        self, delivery: Delivery, settings: DestinationSettings, unreachable: bool
    ) -> bool:
        """Make one delivery and note how it ended; False if the destination does not answer."""
        number = delivery.attempts + 1
        tried = replace(delivery, attempts=number)
        try:
            peer = open_destination(settings)
            count = self._hand_over(delivery, peer)
        except (DeliveryDelayed, OSError) as error:
            if unreachable:
                return False
            answers = self._still_answers(settings, str(error))
            pause = retry_seconds(number)
            then = f"again in {pause:.0f} s" if answers else "sent as soon as it answers"
            text = f"attempt {number}: {error}; {then}"
            self._records.deliveries.delay(tried, text, self._clock() + pause)
            return answers
        except HilumError as error:
            self._records.deliveries.refuse(tried, str(error))
        except Exception as error:  # noqa: BLE001 - around one delivery: it ends, others go on
            log.error("delivery to %s: %s", settings.name, where(error))
            text = f"not sent because of an unforeseen error: {where(error)}"
            self._records.deliveries.refuse(tried, text)
        else:
            text = f"{counted(count, 'object')} read back from {settings.name}"
            self._records.deliveries.verify(tried, text, self._clock())
        return True

    def _hand_over(self, delivery: Delivery, peer: Destination) -> int:
        """Send what the destination does not show yet, then read back; how many objects it has."""
        results = self._workitems.results_for(delivery)
        if missing := peer.missing(results):  # asked first: a crash may have hidden a sending
            peer.send(missing)
            self._read_back(peer, missing)
        return len(results)

    def _read_back(self, peer: Destination, results: list[Result]) -> None:
        for pause in self._read_back_pauses:
            time.sleep(pause)
            if not (missing := peer.missing(results)):
                return
        raise DeliveryDelayed(f"accepted, but {len(missing)} of {len(results)} are not shown")

    def settle(self, workitem_id: str) -> None:
        """Work out the state of a written workitem from its deliveries.

        Also called for all of them by the sweep: a crash may have come before it.
        """
        deliveries = self._records.deliveries.of_workitem(workitem_id)
        item = self._records.workitems.one(workitem_id)
        set_state = self._records.workitems.set_state
        refused = [d for d in deliveries if d.state is DeliveryState.REFUSED]
        if refused:
            reason = "; ".join(f"{d.destination}: {d.reason}" for d in refused)
            if item.reason != reason:
                set_state(workitem_id, WorkitemState.PARKED, reason)
            return
        if not all(delivery.state.settled for delivery in deliveries):
            return
        if item.failure:
            set_state(workitem_id, WorkitemState.FAILED, item.failure)
            return
        places = ", ".join(d.destination for d in deliveries if d.state is DeliveryState.VERIFIED)
        text = f"verified in {places or 'the results folder'}"
        if item.kind is WorkitemKind.WITHDRAWAL:
            text = f"a note that takes a result back, {text}"
        set_state(workitem_id, WorkitemState.COMPLETED, text)

    def _pause(self, destination: str) -> float:
        """Seconds until something is due at a destination, if nobody wakes us before."""
        longest = LOOK_SECONDS if self._site.database else IDLE_SECONDS
        next_due = self._records.deliveries.next_due(destination)
        if next_due is None:
            return longest
        return min(max(next_due - self._clock(), 0.0), longest)

    # How each destination stands ------------------------------------------------------------------

    def _keep_delivering(self, settings: DestinationSettings) -> None:
        waker = self._wakers[settings.name]
        while not self._stopping:
            waker.clear()
            pause = CALL_SECONDS
            with going_on(
                f"delivery to {settings.name}", log
            ):  # or nothing would be delivered there
                pause = self.deliver_next(settings)
            if self._is_unreachable(settings.name):
                time.sleep(pause)  # a new result does not make it answer
            else:
                waker.wait(pause)

    def _is_unreachable(self, name: str) -> bool:
        standing = self._records.destinations.get(name)
        return standing is not None and standing.state is DestinationState.UNREACHABLE

    def _still_answers(self, settings: DestinationSettings, problem: str) -> bool:
        """Whether the trouble was with this delivery only; if not, the destination is at fault."""
        if _answers(settings):
            return True
        log.warning("destination %s does not answer", settings.name)
        self._note_standing(settings.name, DestinationState.UNREACHABLE, problem)
        return False

    def _try_anyway(self, name: str) -> bool:
        """Whether it has been unreachable so long that an attempt tells more than another call.

        Some archives answer a call late or not at all, and take results all the same.
        """
        standing = self._records.destinations.get(name)
        since = standing.since if standing else 0.0
        if self._clock() - max(since, self._tried.get(name, 0.0)) < ANYWAY_SECONDS:
            return False
        self._tried[name] = self._clock()
        return True

    def _note_answer(self, name: str) -> None:
        """Note that the destination is back. What its absence has delayed is due at once."""
        log.warning("destination %s answers again", name)
        self._note_standing(name, DestinationState.REACHABLE, "")
        self._records.deliveries.hurry_all(name, EAGER_ATTEMPTS)

    def _note_standing(self, name: str, state: DestinationState, problem: str) -> None:
        standing = DestinationStanding(name, state, self._clock(), problem)
        self._records.destinations.note(standing)

    def _close_undefined(self) -> None:
        """Park what is owed to destinations that the settings no longer define."""
        defined = {settings.name for settings in self._site.destination}
        for delivery in self._records.deliveries.owed():
            if delivery.destination not in defined:
                text = f"the settings no longer define it: {DEFINE_IT}"
                self._records.deliveries.refuse(delivery, text)
                self.settle(delivery.workitem_id)


def _answers(settings: DestinationSettings) -> bool:
    """Whether it answers. If our settings do not let us ask, the next attempt tells the cure."""
    try:
        return open_destination(settings).is_reachable()
    except ConfigurationError:
        return True


def retry_seconds(attempt: int) -> float:
    """Pause after failed attempt number `attempt`: 2 s, doubling, at most half an hour."""
    return float(min(FIRST_RETRY_SECONDS * 2 ** (attempt - 1), LAST_RETRY_SECONDS))
