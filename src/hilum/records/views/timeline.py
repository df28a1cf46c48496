"""What has happened to a study, in order, and what is tried again."""

from collections.abc import Collection
from dataclasses import dataclass

from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.states import OWED, DeliveryState, DestinationState, EventKind
from hilum.records.turn import waits_until


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
    items = {item.id: item for item in records.workitems.of_study(study_uid)}
    standings = records.destinations.all().values()
    unreachable = {s.name for s in standings if s.state is DestinationState.UNREACHABLE}
    deliveries = records.deliveries.of_workitems(items)
    owed = [one for one in deliveries if one.state in OWED]
    return [
        TraceLine(
            at=one.next_attempt or one.owed_at,
            kind=EventKind.NEXT,
            text=_next(one, waits_until(one, items, deliveries, in_order))
            + (", as soon as it answers" if one.destination in unreachable else ""),
            workitem=one.workitem_id,
            module=items[one.workitem_id].module,
        )
        for one in sorted(owed, key=lambda one: one.owed_at)
    ]


def _next(owed: Delivery, until: str) -> str:
    if until:
        return f"{owed.destination} gets it {until}"
    if owed.state is DeliveryState.ASKED:
        return f"{owed.destination} is asked for the results again"
    return f"attempt {owed.attempts + 1} at {owed.destination}"
