"""What has happened to a study, in order, and what is tried again."""

from collections.abc import Collection
from dataclasses import dataclass

from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.states import DeliveryState, DestinationState, EventKind
from hilum.wording import IN_ITS_TURN


@dataclass(frozen=True)
class TraceLine:
    """One event of a study; `workitem` and `module` are "" where it is about the whole study."""

    at: float
    kind: EventKind
    text: str
    workitem: str
    module: str


def trace(records: Records, study_uid: str, in_order: Collection[str] = ()) -> list[TraceLine]:
    """Every event of one study in order; at its end, what is tried again and when.

    Of the destinations `in_order` (see `Site.in_order`), also what waits for its turn.
    """
    return events(records, study_uid) + _planned(records, study_uid, in_order)


def events(records: Records, study_uid: str) -> list[TraceLine]:
    """What has happened to one study, in order."""
    modules = records.workitems.modules_of(study_uid)
    return [
        TraceLine(e.at, e.kind, e.text, e.workitem_id, modules.get(e.workitem_id, ""))
        for e in records.events.of_study(study_uid)
    ]


def _planned(records: Records, study_uid: str, in_order: Collection[str]) -> list[TraceLine]:
    modules = records.workitems.modules_of(study_uid)
    standings = records.destinations.all().values()
    unreachable = {s.name for s in standings if s.state is DestinationState.UNREACHABLE}
    deliveries = records.deliveries.owed_of(modules)
    return [
        TraceLine(
            at=owed.next_attempt or owed.owed_at,
            kind=EventKind.NEXT,
            text=_next(owed, owed.destination in in_order and owed.waits_for(deliveries))
            + (", as soon as it answers" if owed.destination in unreachable else ""),
            workitem=owed.workitem_id,
            module=modules[owed.workitem_id],
        )
        for owed in deliveries
    ]


def _next(owed: Delivery, waits: bool) -> str:
    if waits:
        return f"{owed.destination} gets it {IN_ITS_TURN}"
    if owed.state is DeliveryState.ASKED:
        return f"{owed.destination} is asked for the results again"
    return f"attempt {owed.attempts + 1} at {owed.destination}"
