"""The course of a study as spans of time: what took how long, and what is still under way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hilum.records.models.deliveries import Delivery
from hilum.records.states import ARRIVED, DeliveryState, EventKind, StudyState
from hilum.records.views.study_list import StudyView, WorkitemView
from hilum.records.views.timeline import TraceLine


@dataclass(frozen=True)
class CourseSpan:
    """One part of the course; `end` (s since 1970) is None while it lasts, `state` its outcome."""

    name: str
    begin: float
    end: float | None
    state: str
    text: str = ""


def course(study: StudyView, trace: Sequence[TraceLine]) -> tuple[CourseSpan, ...]:
    """The spans of `study` in the order in which they began."""
    spans = [CourseSpan("images came", study.first_at, study.last_at, "completed")]
    for item in study.workitems:
        spans += _of_workitem(item, [line for line in trace if line.workitem == item.id])
    if not study.settled:
        state = StudyState.UNJUDGED if study.obstacle else "assembling"
        text = study.obstacle
        spans.append(CourseSpan("waits to be decided on", study.last_at, None, state, text))
    return tuple(sorted(spans, key=lambda span: span.begin))


def _of_workitem(item: WorkitemView, lines: Sequence[TraceLine]) -> Iterator[CourseSpan]:
    begun: float | None = None
    for line in lines:
        if line.kind is EventKind.RUNNING:
            if begun is not None:
                yield CourseSpan(f"{item.module} ran", begun, line.at, "failed", "begun again")
            begun = line.at
        elif line.kind in (EventKind.ANALYSED, EventKind.FAILED) and begun is not None:
            state = "completed" if line.kind is EventKind.ANALYSED else "failed"
            yield CourseSpan(f"{item.module} ran", begun, line.at, state, line.text)
            begun = None
    if begun is not None:
        yield CourseSpan(f"{item.module} runs", begun, None, "running")
    for delivery in item.deliveries:
        yield _of_delivery(delivery)


def _of_delivery(delivery: Delivery) -> CourseSpan:
    arrived = delivery.state in ARRIVED
    end = delivery.verified_at or delivery.accepted_at if arrived else None
    if delivery.state is DeliveryState.CANCELLED:
        end = delivery.owed_at
    attempts = f"{delivery.attempts} attempts" if delivery.attempts > 1 else ""
    text = "; ".join(part for part in (attempts, delivery.reason) if part)
    return CourseSpan(f"to {delivery.destination}", delivery.owed_at, end, delivery.state, text)
