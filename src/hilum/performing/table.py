"""How a worklist sees a workitem of ours: the table of `docs/reference/conformance.md`."""

from typing import NamedTuple

from hilum.records.models.workitems import Workitem
from hilum.records.states import StepState, WorkitemState
from hilum.summary import refusal_in

CLAIMED, COMPLETING, CANCELLING = StepState.CLAIMED, StepState.COMPLETING, StepState.CANCELLING

# Whoever sees the worklist must not take work that a person still decides on for ended: both final
# states of a step are final (PS3.4 CC.1.1), and what is held or parked may still give a result.
SEEN_AS: dict[WorkitemState, tuple[StepState, int, str]] = {
    WorkitemState.SCHEDULED: (CLAIMED, 10, "waits for a worker"),
    WorkitemState.RUNNING: (CLAIMED, 30, "is analysed"),
    WorkitemState.DELIVERING: (CLAIMED, 80, "the results are on their way"),
    WorkitemState.HELD: (CLAIMED, 10, "a person has to decide on the images"),
    WorkitemState.PARKED: (CLAIMED, 80, "a person has to see to the results"),
    WorkitemState.COMPLETED: (COMPLETING, 100, ""),
    WorkitemState.NOT_APPLICABLE: (CANCELLING, 100, ""),
    WorkitemState.FAILED: (CANCELLING, 100, ""),
    WorkitemState.CANCELLED: (CANCELLING, 100, ""),
    WorkitemState.WITHDRAWN: (CANCELLING, 100, ""),
}


class Seen(NamedTuple):
    """The state of the step, how far it is in per cent, and what is said of it."""

    state: StepState
    percent: int
    text: str


def seen(item: Workitem) -> Seen:
    """How the step stands whose work `item` is; the text of one without a result says why."""
    state, percent, text = SEEN_AS[item.state]
    refusal = refusal_in(item.findings or ())
    if state is COMPLETING and refusal is not None:
        return Seen(CANCELLING, percent, f"{item.module} refused: {refusal}")
    if state is CANCELLING:
        why = item.failure or refusal or item.reason
        return Seen(state, percent, f"{item.state}: {why}" if why else str(item.state))
    return Seen(state, percent, text)
