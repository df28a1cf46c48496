"""Show that a destination has what it took, and files it under the right patient.

How that is shown is a setting of the destination, `proof`. Nothing is sent here but what a person,
or the setting `resend_after`, wants sent again.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from hilum.answers import Commitment, Evidence, Shown
from hilum.delivery.filing import FilingJudgement, judge
from hilum.delivery.handover import Handover
from hilum.destinations import CommittingDestination, Destination
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.errors import DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.inbox.commitments import commitments_in
from hilum.records.models.deliveries import CommitmentRequest, Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import DeliveryState, EventKind
from hilum.results import DICOM, Result
from hilum.transport.statuses import meaning_of
from hilum.wording import clauses, counted

FIRST_PAUSE_SECONDS = 2.0
LAST_PAUSE_SECONDS = 1800.0
COMMITMENT_SECONDS = 60.0  # before an archive that does not answer is asked once more
NO_SUCH_OBJECT = 0x0112  # Failure Reasons: PS3.3 C.14.1.1
PASSING = (0x0110, 0x0213)  # processing failure, resource limitation
ASK_AGAIN = "`hilum release` asks once more, and sends what is not shown then"

BY_SETTING = "the setting resend_after wants it"

Offer = Callable[[Workitem, FilingJudgement, str], str]  # what a person can do, or ""


@dataclass(frozen=True)
class Attempt:
    """How a delivery stands after an attempt, and what the trace says.

    It has its next turn after `pause` (s). `is_silent`: it gave no answer when it was asked.
    """

    delivery: Delivery
    state: DeliveryState
    text: str
    pause: float = 0.0
    is_silent: bool = False


def pause_seconds(number: int) -> float:
    """Pause after failed attempt, or question, `number`: 2 s, doubling, at most half an hour."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** (min(number, 30) - 1), LAST_PAUSE_SECONDS))


class Proving:
    """Asks one destination for the `results` of a delivery, all of which it has taken.

    `waited` is for how long it had time to show them (s). Right after a sending it is asked again
    after each of the `pauses` (s). `offer` tells what a person can do about what is misfiled.
    """

    def __init__(
        self,
        handover: Handover,
        delivery: Delivery,
        peer: Destination,
        results: Sequence[Result],
        waited: float,
        pauses: Sequence[float],
        offer: Offer,
    ) -> None:
        self._handover = handover
        self._delivery = delivery
        self._peer = peer
        self._results = results
        self._waited = waited
        self._pauses = pauses
        self._offer = offer
        self._settings = handover.settings
        self._records = handover.records
        self._item = handover.records.workitems.one(delivery.workitem_id)

    def prove(self) -> Attempt:
        """Show, as the settings want it, that everything has arrived."""
        if self._settings.proof == "accepted":
            return self._accepted("")
        if self._settings.proof == "commitment":
            return self._by_commitment()
        return self._by_query()

    # Asking for it --------------------------------------------------------------------------------

    def _by_query(self) -> Attempt:
        try:
            shown = self._ask()
        except DeliveryRefused as error:
            return self._not_shown(f"it cannot be asked: {error}")
        except DeliveryDelayed as error:
            return self._later(str(error), is_silent=True, shortest=error.pause_seconds)
        if shown.evidence is Evidence.NONE:
            return self._accepted("it says nothing about single objects when it is asked")
        if shown.missing:
            return self._go_on(shown.missing)
        self._note_lag()
        if shown.evidence is Evidence.COUNTED:
            return self._counted()
        objects = counted(len(self._results), "object")
        text = f"{objects} read back from {self._settings.name}"
        return self._filed(DeliveryState.VERIFIED, text)

    def _ask(self) -> Shown:
        """What is shown; right after a sending the destination gets a moment."""
        pauses = self._pauses if not self._delivery.asks else self._pauses[:1]
        for pause in pauses:
            time.sleep(pause)
            shown = self._peer.ask(self._results)
            if not shown.missing or shown.evidence is Evidence.NONE:
                break
        return shown

    def _go_on(self, missing: Sequence[Result]) -> Attempt:
        """What follows where some results are taken and not shown."""
        objects = f"{len(missing)} of {counted(len(self._results), 'object')}"
        if who := self._who_wants_it_again():
            text = f"{objects} that it took and does not show: {who}"
            self._handover.tell(self._delivery, EventKind.SENT_AGAIN, text)
            self._handover.send(self._delivery, self._peer, missing)
            self._delivery = replace(
                self._delivery, resend=False, asks=0, accepted_at=self._handover.clock()
            )
            self._waited = 0.0
        return self._later(f"accepted, and {objects} not shown{self._warnings(missing)}")

    def _who_wants_it_again(self) -> str:
        """Who wants that what is not shown is sent again, in words; "" if nobody does.

        The setting does so once: what is not shown even then is for a person.
        """
        if self._delivery.resend:
            return "a person wants it"
        resend_after, item = self._settings.resend_after, self._item
        if not resend_after or self._waited < resend_after:
            return ""
        said = self._records.events.of_kind(item.study_uid, EventKind.SENT_AGAIN)
        mine = [event.text for event in said if event.workitem_id == item.id]
        of_here = [text for text in mine if text.startswith(f"{self._settings.name}: ")]
        return "" if any(text.endswith(BY_SETTING) for text in of_here) else BY_SETTING

    def _later(self, text: str, is_silent: bool = False, shortest: float = 0.0) -> Attempt:
        """Ask again after a growing pause, as long as the settings want it."""
        if self._waited > self._settings.proof_seconds:
            return self._not_shown(text)
        asked = replace(self._delivery, asks=self._delivery.asks + 1)
        pause = max(pause_seconds(asked.asks), shortest)
        return Attempt(asked, DeliveryState.ASKED, text, pause, is_silent)

    def _not_shown(self, text: str) -> Attempt:
        said = f"accepted, but {text}" if not text.startswith("accepted") else text
        whole = clauses(said, "look for it there", ASK_AGAIN)
        return Attempt(self._delivery, DeliveryState.NOT_SHOWN, whole)

    def _warnings(self, missing: Sequence[Result]) -> str:
        """With which warnings the missing ones were taken, in words."""
        receipts = self._records.receipts.of(self._delivery)
        found = {receipts[r.identity].status for r in missing if r.identity in receipts}
        said = "; ".join(meaning_of(status)[1] for status in sorted(filter(None, found)))
        return f" (it said: {said})" if said else ""

    def _counted(self) -> Attempt:
        receipts = self._records.receipts.of(self._delivery).values()
        if any(receipt.status for receipt in receipts):
            return self._accepted("it only counts objects, and took some with a warning")
        objects = counted(len(self._results), "object")
        text = f"{objects} counted at {self._settings.name}, which does not show single ones"
        return self._filed(DeliveryState.VERIFIED, text)

    def _accepted(self, why: str) -> Attempt:
        objects = counted(len(self._results), "object")
        text = f"{objects} accepted by {self._settings.name}, not proven"
        return Attempt(self._delivery, DeliveryState.ACCEPTED, f"{text}: {why}" if why else text)

    def _note_lag(self) -> None:
        """Remember how long it took until it was shown, if that was not at once."""
        if self._delivery.asks:
            self._records.destinations.note_lag(self._settings.name, self._waited)

    # Asking for commitment ------------------------------------------------------------------------

    def _by_commitment(self) -> Attempt:
        if self._delivery.resend:
            self._send_what_is_missing()
        for path, answer in commitments_in(self._handover.data):
            request = self._records.commitments.get(answer.transaction_uid)
            if request and (request.workitem_id, request.destination) == (
                self._delivery.workitem_id,
                self._delivery.destination,
            ):
                path.unlink(missing_ok=True)
                return self._committed(answer)
        uid = derived_uid("commitment", uuid4().hex)  # a new one for each request: PS3.4 J.3.2.1.1
        now = self._handover.clock()
        of_delivery = (self._delivery.workitem_id, self._delivery.destination)
        self._records.commitments.add(CommitmentRequest(uid, *of_delivery, now))
        assert isinstance(self._peer, CommittingDestination), "its settings allow commitment"
        try:
            immediate = self._peer.request_commitment(self._results, uid)
        except DeliveryRefused as error:
            return self._not_shown(str(error))
        except DeliveryDelayed as error:
            return self._later(str(error), is_silent=True, shortest=error.pause_seconds)
        if immediate is None:
            text = "accepted, and asked for a commitment that has not come yet"
            return self._later(text, shortest=COMMITMENT_SECONDS)
        return self._committed(immediate)

    def _committed(self, answer: Commitment) -> Attempt:
        wanted = {result.identity for result in self._results}
        if self._delivery.resend and (lost := self._lost(answer)):
            return self._go_on(lost)
        if wanted <= answer.kept:
            objects = counted(len(wanted), "object")
            text = f"{self._settings.name} has committed itself to keep {objects}"
            return self._filed(DeliveryState.COMMITTED, text)
        failed = [answer.failed.get(uid, 0x0110) for uid in wanted - answer.kept]
        reasons = "; ".join(meaning_of(reason)[1] for reason in sorted(set(failed)))
        text = f"no commitment for {len(failed)} of {counted(len(wanted), 'object')}: {reasons}"
        if set(failed) <= set(PASSING):
            return self._later(f"accepted, and {text}", shortest=COMMITMENT_SECONDS)
        return self._not_shown(text)

    def _lost(self, answer: Commitment) -> list[Result]:
        """The results of which it says that it has no such object."""
        failed = answer.failed
        return [r for r in self._results if failed.get(r.identity) == NO_SUCH_OBJECT]

    def _send_what_is_missing(self) -> None:
        """Send again what it does not show, because a person wants it; what it shows is there."""
        try:
            shown = self._peer.ask(self._results)
        except DeliveryError:
            return  # it commits itself or not: that tells
        if shown.evidence is not Evidence.READ_BACK:
            return
        if shown.missing:
            self._go_on(shown.missing)
        self._delivery = replace(self._delivery, resend=False)

    # Where it is filed ----------------------------------------------------------------------------

    def _filed(self, state: DeliveryState, text: str) -> Attempt:
        """The outcome for what has arrived, if it is filed under the same patient as its images."""
        dicom = [result for result in self._results if result.media_type == DICOM]
        # A note lies beside the result that it is about, wherever the images are by now.
        if not dicom or self._item.kind.is_note:
            return Attempt(self._delivery, state, text)
        try:
            filing = self._peer.filing(dicom[0].study_uid)
        except DeliveryDelayed as error:
            return self._later(f"shown, but not yet under which patient: {error}", is_silent=True)
        except DeliveryRefused as error:
            self._caution(f"it cannot be asked under which patient it files the study: {error}")
            return Attempt(self._delivery, state, text)
        if filing is None:
            return Attempt(self._delivery, state, text)
        ours = Instance.read(dicom[-1].path).header
        found = judge(filing, ours, self._handover.workitems.series_of_study(self._item))
        self._delivery = replace(self._delivery, filed_as=found.number)
        if found.misfiled:
            cure = self._offer(self._item, found, self._settings.name)
            text = clauses(found.misfiled, cure)
            return Attempt(self._delivery, DeliveryState.MISFILED, text)
        self._tell_what_differs(found)
        return Attempt(self._delivery, state, text)

    def _tell_what_differs(self, found: FilingJudgement) -> None:
        """Tell of other data there, and of another patient in another archive."""
        if found.caution:
            self._caution(found.caution)
        for other in self._records.deliveries.of_workitem(self._item.id):
            if found.number and other.filed_as not in ("", found.number):
                self._caution(f"the study has another patient in {other.destination}")

    def _caution(self, text: str) -> None:
        self._handover.tell(self._delivery, EventKind.CAUTION, text)
