"""What a person can do about a study or one of its workitems, in the words of the pages."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum.records.states import RequestAction, WorkitemState
from hilum.records.views import WorkitemView


@dataclass(frozen=True)
class StudyAct:
    """One thing to do; a reason has to be given where people elsewhere read it.

    `chooses_module` and `chooses_destinations`: what a person chooses with it.
    """

    action: RequestAction
    label: str
    explanation: str
    needs_reason: bool = False
    chooses_module: bool = False
    chooses_destinations: bool = False


RUN_AGAIN = StudyAct(
    RequestAction.RERUN,
    "Run again",
    "Today's rules and modules decide on the study again. The same images, rule and module give"
    " nothing new.",
)
RUN_MODULE = StudyAct(
    RequestAction.ANALYSE,
    "Run another module",
    "It runs whatever the rules say. Its result goes to the destinations that you choose; without"
    " one it stays here.",
    chooses_module=True,
    chooses_destinations=True,
)
BEGIN_NOW = StudyAct(
    RequestAction.BEGIN,
    "Begin now",
    "Analyse it before all others, whatever the hours of its rule.",
)
TRY_NOW = StudyAct(RequestAction.RETRY, "Try now", "Do not wait for the next attempt.")
SEND_AGAIN = StudyAct(
    RequestAction.RELEASE,
    "Send again",
    "Ask each destination, and send what it does not have, by today's settings.",
)
SEND_ON = StudyAct(
    RequestAction.SEND_ON,
    "Send elsewhere",
    "The result goes to one more destination. If it is taken back later, then there, too.",
    chooses_destinations=True,
)
ANALYSE_SHORT = StudyAct(
    RequestAction.ANALYSE_SHORT,
    "Analyse what is here",
    "Fewer images came than were announced. The result says INCOMPLETE.",
)
STOP = StudyAct(RequestAction.CANCEL, "Stop", "Stop the analysis, or what has not been sent yet.")
TAKE_BACK = StudyAct(
    RequestAction.WITHDRAW,
    "Take back",
    "A note in each archive rejects the result. The reason stands in the note.",
    needs_reason=True,
)

OFFERED: dict[WorkitemState, tuple[StudyAct, ...]] = {
    WorkitemState.SCHEDULED: (BEGIN_NOW, STOP),
    WorkitemState.RUNNING: (STOP,),
    WorkitemState.DELIVERING: (TRY_NOW, STOP, SEND_ON, TAKE_BACK),
    WorkitemState.COMPLETED: (SEND_ON, TAKE_BACK),
    WorkitemState.NOT_APPLICABLE: (),
    WorkitemState.HELD: (ANALYSE_SHORT,),
    WorkitemState.PARKED: (SEND_AGAIN, SEND_ON, TAKE_BACK),
    WorkitemState.FAILED: (SEND_ON, TAKE_BACK),
    WorkitemState.CANCELLED: (),
    WorkitemState.WITHDRAWN: (),
}
OF_STUDY = (RUN_AGAIN, RUN_MODULE)  # whatever state its workitems are in

# What can be done with several studies at once, each of them where it is offered.
BULK = (RUN_AGAIN, BEGIN_NOW, SEND_AGAIN, STOP)


def acts_on(item: WorkitemView) -> tuple[StudyAct, ...]:
    """What can be done with a workitem as it is now."""
    is_short = any(verdict.lacks for verdict in item.chosen_series)
    return tuple(act for act in OFFERED[item.state] if act is not ANALYSE_SHORT or is_short)


def called(acts: Iterable[StudyAct], action: RequestAction) -> StudyAct | None:
    """The one of `acts` that asks for `action`, if there is one."""
    return next((act for act in acts if act.action is action), None)
