"""How what is parked goes out again, as the settings want it today, and never twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.answers import Acceptance
from hilum.config.kinds import DestinationSettings
from hilum.dicom import codes
from hilum.flow import Flow
from hilum.pausing import waiting_for
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import ENDED, TAKEN
from hilum.results import WithdrawalReason
from hilum.taken import is_replaced_at
from hilum.withdrawing import PartialNote, RejectionNote, RequestAnswer, take_back_some


@dataclass(frozen=True)
class Rewritten:
    """What one parked delivery becomes: the variant it has now, and a note where one is needed."""

    delivery: Delivery
    variant: str
    said: str
    note: PartialNote | None = None


def release(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Deliver again what a destination refused, because a person has removed the cause.

    Only what is parked at the destinations that `asked` names, if it names some.
    It goes out as the settings of the destination want it now. What the destination took of before
    and no longer wants is taken back there by a note.
    """
    wanted = asked.wish.destinations
    all_parked = flow.records.deliveries.parked_of(item.id)
    parked = [one for one in all_parked if not wanted or one.destination in wanted]
    defined = {destination.name: destination for destination in flow.site.destination}
    known = [delivery for delivery in parked if delivery.destination in defined]
    if objection := _objection(flow, item, parked, known, wanted):
        return _no(objection)
    rewritten = []
    for delivery in known:
        settings = defined[delivery.destination]
        if item.is_run and settings.variant != delivery.variant:
            flow.workitems.require_files(item)
            flow.writer.write_also(item, settings)
            if again := wanted_again(flow, delivery, settings):
                return _no(again)
            rewritten.append(_rewrite(flow, item, delivery, settings, asked.at))
    return _released(flow, item, [delivery.destination for delivery in known], rewritten, asked.at)


def _objection(
    flow: Flow,
    item: Workitem,
    parked: Sequence[Delivery],
    known: Sequence[Delivery],
    wanted: Sequence[str],
) -> str:
    """Why nothing of a workitem can go out; `known` are those of `parked` that have settings."""
    if not parked:
        where = " or ".join(wanted) or "a destination"
        return f"it is {item.state}, and nothing of it is parked at {where}"
    if replaced := replacement(flow, item):
        return f"{replaced} has replaced it"
    if not known:
        return "the settings do not define its destination; define it, then ask again"
    if any(is_replaced_at(flow, delivery) for delivery in known):
        return f"{item.superseded_by} has taken its place"
    return ""


def _released(
    flow: Flow,
    item: Workitem,
    destinations: Sequence[str],
    rewritten: Sequence[Rewritten],
    at: float,
) -> RequestAnswer:
    """Note all of it at once, and begin to deliver."""
    said = "".join([", ".join(destinations), *(f"; {one.said}" for one in rewritten)])
    variants = {one.delivery.destination: one.variant for one in rewritten}
    notes = [(one.note.note, one.note.owed) for one in rewritten if one.note]
    reason = f"released, goes to {said}"
    if not flow.records.moves.release(item, destinations, reason, at, variants, notes):
        return _no(f"it is {item.state}")
    flow.outbox.settle(item.id)  # what is parked elsewhere stays so
    flow.outbox.wake()
    waits = waiting_for(flow.records, destinations)
    return RequestAnswer(True, f"released; it goes to {said}{waits}")


def _no(why: str) -> RequestAnswer:
    return RequestAnswer(False, f"not released: {why}")


def may_have_arrived(flow: Flow, item: Workitem) -> bool:
    """Whether anything of a workitem was taken somewhere, or nobody knows."""
    deliveries = flow.records.deliveries.of_workitem(item.id)
    return any(d.state in TAKEN for d in deliveries) or flow.records.receipts.may_have_arrived(
        item.id
    )


def arrived(flow: Flow, delivery: Delivery) -> frozenset[str]:
    """The identities of the objects that a destination took, or may have taken."""
    receipts = flow.records.receipts.of(delivery).values()
    there = (Acceptance.TAKEN, Acceptance.UNKNOWN)
    return frozenset(one.identity for one in receipts if one.acceptance in there)


def replacement(flow: Flow, item: Workitem) -> str:
    """The id of the run that has replaced a workitem, and was not ended in turn; or ""."""
    newer = flow.records.workitems.get(item.superseded_by) if item.superseded_by else None
    return newer.id if newer is not None and newer.state not in ENDED else ""


def wanted_again(flow: Flow, delivery: Delivery, settings: DestinationSettings) -> str:
    """Why a destination cannot be given what its settings want now; "" if it can.

    An archive that was told to reject an object does not show it, even if it is sent once more.
    """
    results = flow.records.results
    now = {r.identity for r in results.of_variant(delivery.workitem_id, delivery.variant)}
    ours = results.of_workitem(delivery.workitem_id)
    rejected = (arrived(flow, delivery) & {result.identity for result in ours}) - now
    wanted = {r.identity for r in ours if r.variant == settings.variant}
    if settings.in_order or not rejected & wanted:
        return ""
    kinds = ", ".join(sorted({r.kind for r in ours if r.identity in rejected & wanted}))
    return (
        f"a note has taken its {kinds} back at {settings.name}, which cannot be"
        f" undone; set objects, segmentation and regions of {settings.name} as they were when it"
        " was last released, or take the result back with `hilum withdraw`"
    )


def _rewrite(
    flow: Flow, item: Workitem, delivery: Delivery, settings: DestinationSettings, at: float
) -> Rewritten:
    """Write a note for what the destination took and is no longer wanted."""
    wanted = flow.records.results.of_variant(item.id, settings.variant)
    gone = arrived(flow, delivery) - {result.identity for result in wanted}
    before = flow.records.results.of_variant(item.id, delivery.variant)
    # where a later object takes the place of an earlier one, nothing is left to be taken back
    again = {result.kind for result in wanted} if settings.in_order else set()
    dropped = [r for r in before if r.identity in gone and r.kind not in again]
    said = f"{settings.name} receives {_kinds(wanted)}, as its settings want it now"
    if not dropped:
        return Rewritten(delivery, settings.variant, said)
    why = RejectionNote(at, WithdrawalReason.OTHER_OBJECTS, codes.REJECTED_FOR_QUALITY)
    note = take_back_some(flow, item, settings.name, dropped, why)
    if note.kinds:
        said += f"; a note takes back the {', '.join(sorted(note.kinds))} of before"
    if note.rest:
        said += f"; {note.rest}"
    return Rewritten(delivery, settings.variant, said, note if note.kinds else None)


def _kinds(results: Sequence[WrittenResult]) -> str:
    return ", ".join(sorted({result.kind for result in results})) or "nothing"
