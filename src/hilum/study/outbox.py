"""The outbox: what every destination still has to show, and when it is tried again.

A delivery is a row of the records, with a receipt for each object that was sent (`hilum.delivery`).
What a destination has taken is only asked for from then on. Every destination has a thread of its
own, so one that is down, slow or hanging delays no other. One that does not answer is called every
few seconds and gets everything at once when it does; one that answers, but cannot take an object
now, is tried again after pauses that grow to half an hour, for days. One that a person has paused
(`pausing.py`) is left alone until they let it go on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hilum.config.kinds import DestinationSettings
from hilum.config.site import Site
from hilum.delivery.filing import LOOK_THERE
from hilum.delivery.handover import Handover
from hilum.delivery.proving import Attempt, Offer, Proving, pause_seconds
from hilum.delivery.standings import Standings
from hilum.destinations import open_destination
from hilum.errors import DeliveryDelayed, HilumError, where
from hilum.inbox.commitments import commitments_in
from hilum.logs import going_on
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    ARRIVED,
    OWED,
    PARKED,
    UNSETTLED,
    DeliveryState,
    PausedKind,
    WorkitemKind,
    WorkitemState,
)
from hilum.study.predecessors import taken_back
from hilum.study.runs import withdrawal_uid
from hilum.study.workitems import Workitems

READ_BACK_PAUSES = (0.0, 0.1, 0.3, 1.0)  # an archive may need a moment to index
CALL_AGAIN_SECONDS = 3.0  # between two calls to a destination that is unreachable
IDLE_SECONDS = 10.0  # whoever has something to deliver wakes us
NOTES = {
    WorkitemKind.WITHDRAWAL: "a note that takes a result back",
    WorkitemKind.ASSESSMENT: "a note on what a reader said of a result",
}
TAKEN_BACK = "no longer sent or asked for, because the result was taken back"
DEFINE_IT = "define it, then run `hilum release`"

log = logging.getLogger(__name__)


class Outbox:
    """The deliveries of `site`.

    `clock` gives the time in s since 1970; tests let hours pass. A destination that does not show
    at once what it was sent is asked again after each of the `read_back_pauses` (s). `offer` is
    told what is filed under another patient, and tells what a person can do about it.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        workitems: Workitems,
        clock: Callable[[], float] = time.time,
        read_back_pauses: Sequence[float] = READ_BACK_PAUSES,
        offer: Offer = lambda _item, _found, _destination: LOOK_THERE,
    ) -> None:
        self._offer = offer
        self._read_back_pauses = read_back_pauses
        self._site = site
        self._records = records
        self._workitems = workitems
        self._clock = clock
        self._wakers: dict[str, threading.Event] = {}
        self._standings = Standings(records, clock)
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

    def owed(
        self,
        workitem_id: str,
        destination: str,
        variant: str,
        images: bool,
        urgent: bool = False,
    ) -> Delivery:
        """A new delivery: `destination` is to receive a variant of the results, and the images.

        One that is `urgent` goes before others.
        """
        return Delivery(
            workitem_id,
            destination,
            variant,
            images=images,
            state=DeliveryState.WAITING,
            owed_at=self._clock(),
            urgent=urgent,
        )

    def deliver_next(self, settings: DestinationSettings) -> float:
        """Attempt the first delivery that is due at a destination; seconds until the next turn.

        A destination that a person has paused is left alone. Others do not wait for it.
        """
        if self._records.pauses.get(PausedKind.DESTINATION, settings.name):
            return IDLE_SECONDS
        if (pause := self._standings.held_seconds(settings.name)) > 0:
            return pause
        unreachable = self._standings.is_still_unreachable(settings)
        if unreachable and not self._standings.try_anyway(settings.name):
            return CALL_AGAIN_SECONDS
        now, in_order = self._clock(), settings.in_order
        delivery = self._records.deliveries.first_due(settings.name, now, in_order)
        if delivery is None:
            return self._pause(settings)
        item = self._records.workitems.one(delivery.workitem_id)
        if needless := self._needless(item, delivery, in_order):
            self._records.deliveries.note_cancelled(delivery, needless)
            self.settle(item.id)
            return 0.0
        answers = self._attempt(delivery, settings, unreachable)
        if unreachable and answers:
            self._standings.note_answer(settings.name)
        self.settle(item.id)
        return 0.0 if answers else CALL_AGAIN_SECONDS

    def _needless(self, item: Workitem, delivery: Delivery, in_order: bool) -> str:
        """Why a delivery is not made any more; "" if it is, or if a person may still release it."""
        if item.state in (WorkitemState.WITHDRAWN, WorkitemState.CANCELLED):
            return TAKEN_BACK
        if item.kind is WorkitemKind.ASSESSMENT and item.about:
            of_result = self._records.deliveries.one(item.about, delivery.destination)
            awaited = UNSETTLED if delivery.state in PARKED else ()
            if of_result.state not in (*ARRIVED, *awaited):
                return "not sent, because the result that it is about did not arrive there"
            if self._came_too_late(item.about, delivery, in_order):
                return TAKEN_BACK
        return ""

    def _came_too_late(self, about: str, note: Delivery, in_order: bool) -> bool:
        """Whether the result that a note on a reader is `about` was taken back there before.

        Where order counts, the note may still come before the one that takes both back.
        """
        item = taken_back(self._records, about, in_order)
        if item is None:
            return False
        notes = self._records.deliveries.of_workitem(withdrawal_uid(item.id))
        still_comes = (one for one in notes if one.destination == note.destination)
        is_on_its_way = in_order and note.state in OWED
        return not (is_on_its_way and any(one.state in OWED for one in still_comes))

    def _attempt(
        self, delivery: Delivery, settings: DestinationSettings, unreachable: bool
    ) -> bool:
        """Make one attempt and note how it ended; False if the destination does not answer."""
        number = delivery.attempts + 1
        tried = replace(delivery, attempts=number)
        deliveries = self._records.deliveries
        try:
            outcome = self._outcome(delivery, settings, unreachable)
        except (DeliveryDelayed, OSError) as error:
            if unreachable:
                return False
            pause = max(pause_seconds(number), self._standings.hold(settings.name, error))
            answers = self._standings.still_answers(settings, str(error))
            then = f"again in {pause:.0f} s" if answers else "sent as soon as it answers"
            text = f"attempt {number}: {error}; {then}"
            deliveries.delay(tried, text, self._clock() + pause)
            return answers
        except HilumError as error:
            deliveries.park(tried, DeliveryState.REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - around one delivery: it ends, others go on
            log.error("delivery to %s: %s", settings.name, where(error))
            text = f"not sent because of an unforeseen error: {where(error)}"
            deliveries.park(tried, DeliveryState.REFUSED, text)
        else:
            return self._note(outcome, settings, unreachable)
        return True

    def _outcome(
        self, delivery: Delivery, settings: DestinationSettings, unreachable: bool
    ) -> Attempt:
        """Send what was not taken yet, then have it proven that everything has arrived."""
        peer = open_destination(settings)
        handover = Handover(settings, self._records, self._workitems, self._site.data, self._clock)
        results = self._workitems.results_for(delivery)
        was_sent = handover.send_rest(delivery, peer, results)
        if was_sent or delivery.accepted_at is None:
            delivery = replace(
                delivery,
                attempts=delivery.attempts + 1,
                accepted_at=self._clock(),
                resend=delivery.resend and not was_sent,
            )
        shown = handover.to_prove(delivery, results)
        if results and not shown:
            text = f"{settings.name} needs none of it: nothing is left to do there"
            return Attempt(delivery, DeliveryState.ACCEPTED, text)
        waited = 0.0 if unreachable else self._clock() - self._standings.answers_since(delivery)
        proving = Proving(
            handover, delivery, peer, shown, waited, self._read_back_pauses, self._offer
        )
        return proving.prove()

    def _note(self, outcome: Attempt, settings: DestinationSettings, unreachable: bool) -> bool:
        """Note how a delivery stands that was taken; False if the destination does not answer."""
        deliveries, now = self._records.deliveries, self._clock()
        if outcome.state in ARRIVED:
            deliveries.arrive(outcome.delivery, outcome.state, outcome.text, now)
        elif outcome.state in PARKED:
            deliveries.park(outcome.delivery, outcome.state, outcome.text)
        else:
            deliveries.accept(outcome.delivery, outcome.text, now + outcome.pause)
            self.hear_commitments()  # one may have come before we waited for it
            if outcome.is_silent:
                return not unreachable and self._standings.still_answers(settings, outcome.text)
        return True

    def hear_commitments(self) -> None:
        """Have the deliveries go on for which an archive has answered to us.

        An answer that nobody waits for is dropped, or we would hear it for ever.
        """
        committing = {one.name for one in self._site.destination if one.proof == "commitment"}
        for path, answer in commitments_in(self._site.data):
            request = self._records.commitments.get(answer.transaction_uid)
            if request is None:
                log.warning("an answer to a request for commitment that was not made is dropped")
            elif request.destination in committing and self._records.deliveries.note_commitment(
                request.workitem_id, request.destination
            ):
                self.wake()
                continue
            path.unlink(missing_ok=True)

    def settle(self, workitem_id: str) -> None:
        """Work out the state of a written workitem from its deliveries.

        Also called for all of them by the sweep: a crash may have come before it. What is parked
        and has become needless waits for nobody.
        """
        item = self._records.workitems.one(workitem_id)
        for parked in self._records.deliveries.parked_of(workitem_id):
            if needless := self._needless(item, parked, parked.destination in self._site.in_order):
                self._records.deliveries.note_cancelled(parked, needless)
        deliveries = self._records.deliveries.of_workitem(workitem_id)
        set_state = self._records.moves.set_state
        if waiting := [d for d in deliveries if d.state in PARKED]:
            reason = ", ".join(f"{d.destination} ({d.state})" for d in waiting)
            if (item.state, item.reason) != (WorkitemState.PARKED, reason):
                set_state(workitem_id, WorkitemState.PARKED, reason)
            return
        if not all(delivery.state.settled for delivery in deliveries):
            return
        if item.failure:
            set_state(workitem_id, WorkitemState.FAILED, item.failure)
            return
        text = _arrived(deliveries)
        if item.kind.is_note:
            text = f"{NOTES[item.kind]}, {text}"
        set_state(workitem_id, WorkitemState.COMPLETED, text)

    def _pause(self, settings: DestinationSettings) -> float:
        """Seconds until something is due at a destination, if nobody wakes us before."""
        next_due = self._records.deliveries.next_due(settings.name, settings.in_order)
        if next_due is None:
            return IDLE_SECONDS
        return min(max(next_due - self._clock(), 0.0), IDLE_SECONDS)

    # In threads -----------------------------------------------------------------------------------

    def _keep_delivering(self, settings: DestinationSettings) -> None:
        waker = self._wakers[settings.name]
        while not self._stopping:
            waker.clear()
            pause = CALL_AGAIN_SECONDS
            with going_on(
                f"delivery to {settings.name}", log
            ):  # or nothing would be delivered there
                pause = self.deliver_next(settings)
            if self._standings.is_unreachable(settings.name):
                time.sleep(pause)  # a new result does not make it answer
            else:
                waker.wait(pause)

    def _close_undefined(self) -> None:
        """Park what is owed to destinations that the settings no longer define."""
        defined = {settings.name for settings in self._site.destination}
        for delivery in self._records.deliveries.owed():
            if delivery.destination not in defined:
                text = f"the settings no longer define it: {DEFINE_IT}"
                self._records.deliveries.park(delivery, DeliveryState.REFUSED, text)
                self.settle(delivery.workitem_id)


def _arrived(deliveries: Sequence[Delivery]) -> str:
    """Where results have arrived, and what that is worth, such as "verified in pacs"."""
    words = (
        (DeliveryState.VERIFIED, "verified in {}"),
        (DeliveryState.COMMITTED, "committed by {}"),
        (DeliveryState.ACCEPTED, "accepted by {}, not proven"),
    )
    places = {
        text: ", ".join(d.destination for d in deliveries if d.state is state)
        for state, text in words
    }
    said = [text.format(names) for text, names in places.items() if names]
    if not deliveries:
        return "it stays here: no destination is to have it"
    return "; ".join(said) or "it stays here: its deliveries were cancelled"
