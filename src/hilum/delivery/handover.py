"""Hand over what a destination has not taken yet.

Before an object is sent, its receipt says that nobody knows what becomes of it; the answer takes
the place of that. So after a crash it is known which objects may have arrived, and these are asked
for before they are sent again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hilum.answers import Acceptance, Answer, Evidence
from hilum.config.kinds import DestinationSettings
from hilum.destinations import Destination
from hilum.errors import DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.inbox import heard
from hilum.records import Records
from hilum.records.models.deliveries import Delivery, DeliveryReceipt
from hilum.records.states import EventKind
from hilum.results import Result
from hilum.study.workitems import Workitems
from hilum.wording import counted

SHORTEST_LAG_SECONDS = 5.0  # for which a destination is asked whether something arrived, at least
DONE = (Acceptance.TAKEN, Acceptance.NEEDLESS)
NOT_KNOWN = "it is not known whether"

Receipts = Mapping[str, DeliveryReceipt]  # by the identity of the object


@dataclass(frozen=True)
class Handover:
    """Sends to the destination of `settings`; `clock` gives the time in s since 1970."""

    settings: DestinationSettings
    records: Records
    workitems: Workitems
    data: Path
    clock: Callable[[], float]

    def send_rest(self, delivery: Delivery, peer: Destination, results: Sequence[Result]) -> bool:
        """Send those of `results` that were not taken yet; False if there were none.

        Raises
        ------
        DeliveryDelayed
            Not all of them were taken; the rest may be later.
        DeliveryRefused
            Not all of them were taken, and a person has to do something first.
        """
        receipts = self.records.receipts.of(delivery)
        done = (Acceptance.TAKEN,) if delivery.resend else DONE
        rest = _without(results, _accepted(results, receipts, *done))
        if not rest:
            return False
        is_doubtful = bool(_accepted(rest, receipts, Acceptance.UNKNOWN))
        missing, could_ask = self._missing(peer, results, rest, is_doubtful)
        self._note_there(delivery, _without(rest, missing), receipts)
        doubtful = _accepted(missing, receipts, Acceptance.UNKNOWN)
        wait = self._seconds_to_wait(doubtful, receipts) if could_ask else 0.0
        if to_send := _without(missing, doubtful) if wait > 0 else missing:
            why = "it does not show them" if could_ask else "it cannot be asked and may hold both"
            try:
                self.send(delivery, peer, to_send)
            finally:
                self._tell_sent_again(delivery, doubtful, receipts, why)
        if doubtful and wait > 0:
            objects = counted(len(doubtful), "object")
            raise DeliveryDelayed(f"{NOT_KNOWN} {objects} arrived; the destination is asked again")
        return True

    def to_prove(self, delivery: Delivery, results: Sequence[Result]) -> list[Result]:
        """Those of `results` that the destination is to show: not what it said it does not need."""
        receipts = self.records.receipts.of(delivery)
        return _without(results, _accepted(results, receipts, Acceptance.NEEDLESS))

    def send(self, delivery: Delivery, peer: Destination, results: Sequence[Result]) -> None:
        """Send `results`, note every answer, and raise as `send_rest` unless all were taken."""
        before = self.records.receipts.of(delivery)
        now = self.clock()
        identities = [result.identity for result in results]
        if not self.records.receipts.begin(delivery, identities, now):
            raise DeliveryDelayed("it was cancelled meanwhile")
        answers: list[Answer] = []
        try:
            for answer in peer.send(results):
                answers.append(_with_patience(answer, before))
        except DeliveryError:
            answered = {answer.result.identity for answer in answers}
            kept = [r.identity for r in results if r.identity not in answered]
            self.records.receipts.undo(delivery, kept, before)
            raise
        finally:
            self._note_answers(delivery, answers, before, now)
        require_taken(answers, len(results))

    def tell(self, delivery: Delivery, kind: EventKind, text: str) -> None:
        """Write a line to the trace of the study, beside what becomes of the delivery."""
        study_uid = self.records.workitems.one(delivery.workitem_id).study_uid
        line = f"{delivery.destination}: {text}"
        self.records.events.add(study_uid, kind, line, delivery.workitem_id)

    def _tell_sent_again(
        self, delivery: Delivery, doubtful: Sequence[Result], before: Receipts, why: str
    ) -> None:
        """Tell of those that were handed over once more; not all are where it broke off."""
        now = self.records.receipts.of(delivery)
        again = [r for r in doubtful if now[r.identity].times > before[r.identity].times]
        if again:
            what = f"{counted(len(again), 'object')} whose sending had no answer"
            self.tell(delivery, EventKind.SENT_AGAIN, f"{what}: {why}")

    def _missing(
        self,
        peer: Destination,
        results: Sequence[Result],
        rest: Sequence[Result],
        is_doubtful: bool,
    ) -> tuple[list[Result], bool]:
        """Those of `rest` that the destination does not show, and whether it could be asked.

        It is asked for all `results`, because one that only counts shows all of a series or none.
        What was never sent is sent all the same where it cannot be asked; the proof comes later.
        """
        if self.settings.proof != "accepted":
            try:
                shown = peer.ask(results)
            except DeliveryDelayed:
                if is_doubtful:
                    raise
            except DeliveryRefused:
                if is_doubtful and self.settings.proof == "query":
                    raise
            else:
                if shown.evidence is not Evidence.NONE:
                    return [result for result in rest if result in shown.missing], True
        return list(rest), False

    def _seconds_to_wait(self, doubtful: Sequence[Result], receipts: Receipts) -> float:
        """How much longer it may take until the destination shows what it was sent last."""
        if not doubtful:
            return 0.0
        standing = self.records.destinations.get(self.settings.name)
        lag = max(SHORTEST_LAG_SECONDS, 2 * standing.lag_seconds if standing else 0.0)
        last = max(receipts[result.identity].sent_at for result in doubtful)
        left = last + lag - self.clock()
        return left if left <= lag else 0.0  # the clock was set back since

    def _note_there(self, delivery: Delivery, there: Sequence[Result], receipts: Receipts) -> None:
        """Note what is shown although no answer said that it was taken."""
        found = []
        for result in there:
            of_one = (delivery.workitem_id, delivery.destination, result.identity)
            begun = DeliveryReceipt(*of_one, self.clock(), times=0, acceptance=Acceptance.UNKNOWN)
            known = receipts.get(result.identity, begun)
            found.append(replace(known, acceptance=Acceptance.TAKEN))
        self.records.receipts.note(delivery, found)

    def _note_answers(
        self, delivery: Delivery, answers: Sequence[Answer], before: Receipts, at: float
    ) -> None:
        noted = []
        for answer in answers:
            identity = answer.result.identity
            times = before[identity].times if identity in before else 0
            of_one = (delivery.workitem_id, delivery.destination, identity)
            noted.append(DeliveryReceipt(*of_one, at, times + 1, answer.acceptance, answer.status))
        self.records.receipts.note(delivery, noted)
        heard.note(self.data, delivery.destination, answers, at)
        warnings = Counter(a.text for a in answers if a.acceptance in DONE and a.text)
        for text, count in warnings.items():
            told = f"{count} of {counted(len(answers), 'object')}: {text}"
            self.tell(delivery, EventKind.WARNING, told)


def _with_patience(answer: Answer, before: Receipts) -> Answer:
    """`answer`, or that it is never taken, if it was sent as often as it may be."""
    known = before.get(answer.result.identity)
    times = 1 + (known.times if known else 0)
    if answer.acceptance is not Acceptance.LATER or not 0 < answer.most_times <= times:
        return answer
    text = f"{answer.text}; it was sent {counted(times, 'time')}"
    return replace(answer, acceptance=Acceptance.NEVER, text=text)


def _accepted(
    results: Sequence[Result], receipts: Receipts, *acceptances: Acceptance
) -> list[Result]:
    """Those whose receipt says one of `acceptances`."""
    found = ((result, receipts.get(result.identity)) for result in results)
    return [result for result, receipt in found if receipt and receipt.acceptance in acceptances]


def _without(results: Sequence[Result], others: Sequence[Result]) -> list[Result]:
    return [result for result in results if result not in others]


def require_taken(answers: Sequence[Answer], sent: int) -> None:
    """Raise unless all were taken.

    What may still be taken is raised first, because a refusal is final and would hide it.
    """
    unknown = sent - sum(answer.acceptance is not Acceptance.UNKNOWN for answer in answers)
    if unknown:
        objects = f"{unknown} of {counted(sent, 'object')}"
        raise DeliveryDelayed(f"{NOT_KNOWN} {objects} arrived; the destination is asked first")
    errors = ((Acceptance.LATER, DeliveryDelayed), (Acceptance.NEVER, DeliveryRefused))
    for acceptance, error in errors:
        if not_taken := [answer for answer in answers if answer.acceptance is acceptance]:
            text = "; ".join(dict.fromkeys(answer.text for answer in not_taken))
            kinds = ", ".join(dict.fromkeys(answer.result.kind for answer in not_taken))
            raise error(f"{len(not_taken)} of {counted(sent, 'object')} ({kinds}): {text}")
