"""Why a step that a worklist asks for has given nothing yet, or will give nothing."""

from collections.abc import Iterator

from hilum.records.models.requests import WorklistStep
from hilum.records.states import StepState
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.why.known import Known


def of_steps(known: Known) -> Iterator[Explanation]:
    """What is to be said of the steps for a study, where no workitem says it."""
    for step in known.steps:
        if step.problem:
            look = "see there, and in the log of the worklist, what it does not take"
            cures = (Cure(CureKind.LOOK, look),)
            yield _said(step, f"{step.worklist} is not told of its step: {step.problem}", cures)
        elif text := _without_workitem(step):
            yield _said(step, text)


def _without_workitem(step: WorklistStep) -> str:
    if step.workitem_id:
        return ""
    asks = f"the worklist {step.worklist} asks for {step.module}"
    match step.state:
        case StepState.WAITING if step.reason:
            return f"{step.worklist}: {step.reason}"
        case StepState.WAITING:
            return f"{asks}; the step is claimed once its images are here and it is ready"
        case StepState.CLAIMING | StepState.CLAIMED:
            return f"{asks}: {step.told or 'the step is being claimed'}"
        case StepState.CANCELLING | StepState.CANCELED:
            return f"{asks}, and was told that there is no result: {step.reason}"
    return ""


def _said(step: WorklistStep, text: str, cures: tuple[Cure, ...] = ()) -> Explanation:
    return Explanation(Cause.WORKLIST, text, since=step.since, cures=cures, module=step.module)
