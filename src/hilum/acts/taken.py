"""What destinations have, or may have, of a result, and of what readers said of it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from hilum.answers import Acceptance
from hilum.records.models.deliveries import Delivery, DeliveryReceipt, WrittenResult
from hilum.records.models.workitems import Workitem
from hilum.records.states import ARRIVED, OWED, WorkitemState
from hilum.study.flow import Flow
from hilum.study.outbox import TAKEN_BACK
from hilum.study.runs import assessment_uid, withdrawal_uid


def arrived_at(flow: Flow, delivery: Delivery) -> list[WrittenResult]:
    """The objects of a result that a destination has, or may have, and what it was told of readers.

    Where that is not just the whole result, their variant has the name of the destination: its note
    is its own. Where later results take the place of earlier ones, it has none of a result that was
    replaced, and all of one that is to replace what it has.
    """
    if is_replaced_at(flow, delivery):
        return []
    written = flow.records.results.of_variant(delivery.workitem_id, delivery.variant)
    some = _there(flow, delivery)
    if not some and _replaces_there(flow, delivery):
        some = written
    said = list(_said_there(flow, delivery)) if some else []
    if len(some) == len(written) and not said:
        return some
    return [replace(one, variant=delivery.destination) for one in (*some, *said)]


def takes_places(flow: Flow, destination: str) -> bool:
    """Whether later results take the place of earlier ones at a destination."""
    return destination in flow.site.in_order


def is_replaced_at(flow: Flow, delivery: Delivery) -> bool:
    """Whether a later result has taken the place of this one at a destination, or will.

    Even if that one was taken back there meanwhile. Never where results stand beside each other.
    """
    if not takes_places(flow, delivery.destination):
        return False
    item = flow.records.workitems.one(delivery.workitem_id)
    while item.superseded_by and (newer := flow.records.workitems.get(item.superseded_by)):
        item = newer
        for other in flow.records.deliveries.of_workitem(item.id):
            if other.destination == delivery.destination and (
                item.state is WorkitemState.WITHDRAWN
                or other.state in (*OWED, *ARRIVED)
                or _there(flow, other)
            ):
                return True
    return False


def settle_notes(flow: Flow, item: Workitem) -> None:
    """Have nobody wait for what readers said of a result that was taken back."""
    for note in _notes_on(flow, item.id):
        flow.outbox.settle(note.id)


def stop_telling(flow: Flow, item: Workitem) -> None:
    """Send nothing more of what readers said of a result that is taken back.

    Where the results of a study go one after the other, what is on its way arrives before the note
    that takes it back.
    """
    for note in _notes_on(flow, item.id):
        for owed in flow.records.deliveries.of_workitem(note.id):
            if owed.state in OWED and not takes_places(flow, owed.destination):
                flow.records.deliveries.note_cancelled(owed, TAKEN_BACK)
        flow.outbox.settle(note.id)


def _replaces_there(flow: Flow, delivery: Delivery) -> bool:
    """Whether an earlier result stands there, in whose place this one comes."""
    earlier = islice(_line_at(flow, delivery), 1, None)
    return any(
        other.destination == delivery.destination and _there(flow, other)
        for workitem_id in earlier
        for other in flow.records.deliveries.of_workitem(workitem_id)
    )


def _line_at(flow: Flow, delivery: Delivery) -> Iterator[str]:
    """The id of the workitem, and of those in whose place it comes there, the nearest first."""
    item = flow.records.workitems.one(delivery.workitem_id)
    yield item.id
    while item.predecessor and takes_places(flow, delivery.destination):
        item = flow.records.workitems.one(item.predecessor)
        notes = flow.records.deliveries.of_workitem(withdrawal_uid(item.id))
        if any(note.destination == delivery.destination for note in notes):
            return
        yield item.id


def _said_there(flow: Flow, delivery: Delivery) -> Iterator[WrittenResult]:
    """What the destination was told, or will be before a note, of what readers said of a result.

    And of those in whose place it came there, in the order in which it was said.
    """
    in_order = takes_places(flow, delivery.destination)
    line = _line_at(flow, delivery)
    notes = [note for workitem_id in line for note in _notes_on(flow, workitem_id)]
    for note in sorted(notes, key=lambda one: one.created):
        for other in flow.records.deliveries.of_workitem(note.id):
            if other.destination != delivery.destination:
                continue
            comes = in_order and other.state in OWED
            written = flow.records.results.of_variant(note.id, other.variant)
            yield from written if comes else _there(flow, other)


def _notes_on(flow: Flow, workitem_id: str) -> list[Workitem]:
    """The notes that tell destinations what readers said of a result."""
    said = flow.records.assessments.of_workitem(workitem_id)
    ids = (assessment_uid(workitem_id, one.number) for one in said)
    return [note for note in map(flow.records.workitems.get, ids) if note]


def _there(flow: Flow, delivery: Delivery) -> list[WrittenResult]:
    """The objects of a delivery that its destination has taken, or may have."""
    written = flow.records.results.of_variant(delivery.workitem_id, delivery.variant)
    receipts = flow.records.receipts.of(delivery)
    return [one for one in written if _may_be_there(delivery, receipts.get(one.identity))]


def _may_be_there(delivery: Delivery, receipt: DeliveryReceipt | None) -> bool:
    """Whether a destination has the object of `receipt`, or nobody knows."""
    if receipt is None:  # what was found there, or was sent before there were receipts
        return delivery.state in ARRIVED or delivery.accepted_at is not None
    return receipt.acceptance in (Acceptance.TAKEN, Acceptance.UNKNOWN)
