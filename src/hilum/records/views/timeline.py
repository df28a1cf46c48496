"""What has happened to a study, in order, and what is tried again."""

from dataclasses import dataclass

from hilum.records import Records
from hilum.records.models import Delivery
from hilum.records.states import DeliveryState, DestinationState, EventKind


@dataclass(frozen=True)
class TraceLine:
    """One event of a study; `workitem` and `module` are "" where it is about the whole study."""

    at: float
    kind: EventKind
    text: str
    workitem: str
    module: str


def trace(records: Records, study_uid: str) -> list[TraceLine]:
    """Every event of one study in order; at its end, what is tried again and when."""
    return events(records, study_uid) + _planned(records, study_uid)


def events(records: Records, study_uid: str) -> list[TraceLine]:
    """What has happened to one study, in order."""
    modules = records.workitems.modules_of(study_uid)
    return [
        TraceLine(e.at, e.kind, e.text, e.workitem_id, modules.get(e.workitem_id, ""))
        for e in records.events.of_study(study_uid)
    ]


def _planned(records: Records, study_uid: str) -> list[TraceLine]:
    modules = records.workitems.modules_of(study_uid)
    standings = records.destinations.all().values()
    unreachable = {s.name for s in standings if s.state is DestinationState.UNREACHABLE}
    return [
        TraceLine(
            at=owed.next_attempt or owed.owed_at,
            kind=EventKind.NEXT,
            text=_next(owed)
            + (", as soon as it answers" if owed.destination in unreachable else ""),
            workitem=owed.workitem_id,
            module=modules[owed.workitem_id],
        )
        for owed in records.deliveries.owed_of(modules)
    ]


def _next(owed: Delivery) -> str:
    if owed.state is DeliveryState.ASKED:
        return f"{owed.destination} is asked for the results again"
    return f"attempt {owed.attempts + 1} at {owed.destination}"
