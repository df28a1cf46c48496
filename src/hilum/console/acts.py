"""What a person can do about a workitem, by its state, in the words of the pages."""

from dataclasses import dataclass

from hilum.records.states import RequestAction, WorkitemState


@dataclass(frozen=True)
class StudyAct:
    """One thing to do; a reason has to be given where people elsewhere read it."""

    action: RequestAction
    label: str
    explanation: str
    needs_reason: bool = False


RUN_AGAIN = StudyAct(RequestAction.RETRY, "Run again", "Judge or analyse it by today's rules.")
TRY_NOW = StudyAct(RequestAction.RETRY, "Try now", "Do not wait for the next attempt.")
SEND_AGAIN = StudyAct(
    RequestAction.RELEASE,
    "Send again",
    "Ask each destination, and send what it does not have, by today's settings.",
)
STOP = StudyAct(RequestAction.CANCEL, "Stop", "Stop the analysis, or what has not been sent yet.")
TAKE_BACK = StudyAct(
    RequestAction.WITHDRAW,
    "Take back",
    "A note in each archive rejects the result. The reason stands in the note.",
    needs_reason=True,
)

OFFERED: dict[WorkitemState, tuple[StudyAct, ...]] = {
    WorkitemState.SCHEDULED: (STOP,),
    WorkitemState.RUNNING: (STOP,),
    WorkitemState.DELIVERING: (TRY_NOW, STOP, TAKE_BACK),
    WorkitemState.COMPLETED: (TAKE_BACK,),
    WorkitemState.NOT_APPLICABLE: (RUN_AGAIN,),
    WorkitemState.HELD: (RUN_AGAIN,),
    WorkitemState.PARKED: (SEND_AGAIN, TAKE_BACK),
    WorkitemState.FAILED: (RUN_AGAIN, TAKE_BACK),
    WorkitemState.CANCELLED: (RUN_AGAIN,),
    WorkitemState.WITHDRAWN: (),
}

# What can be done with several studies at once, each of them where it is offered.
BULK = (RUN_AGAIN, SEND_AGAIN, STOP)


def offered(state: WorkitemState, action: RequestAction) -> StudyAct | None:
    """What is offered under `action` for a workitem in `state`, if anything is."""
    return next((act for act in OFFERED[state] if act.action is action), None)
