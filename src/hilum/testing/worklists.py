"""The promises that every worklist must keep."""

import time
from collections.abc import Callable

from hilum.dicom.uids import derived_uid, is_uid
from hilum.worklists import (
    OutputSeries,
    PerformedStep,
    ProcedureStepState,
    StepAnswer,
    Worklist,
)

OURS, THEIRS = "2.25.1001", "2.25.1002"  # Transaction UIDs
IN_PROGRESS = ProcedureStepState.IN_PROGRESS


def check_worklist(
    open_worklist: Callable[[], Worklist],
    schedule: Callable[[str, str], object],
    code: tuple[str, str],
) -> None:
    """Check that a worklist keeps the promises by which no step is performed twice or forgotten.

    Parameters
    ----------
    open_worklist
        Opens the worklist anew, as a restart does.
    schedule
        Puts a step on the list, by its UID and the Study Instance UID of its input.
    code
        Value and scheme of what the scheduled steps ask for.
    """
    worklist = open_worklist()
    assert worklist.describe(), "a worklist says what answers"
    study = derived_uid("check_worklist", "study")
    steps = [derived_uid("check_worklist", "step", str(number)) for number in range(3)]
    for uid in steps:
        schedule(uid, study)
    completed, cancelled, waiting = steps
    _check_offered(worklist, steps, study, code)
    _check_claimed(worklist, completed)
    _check_left(worklist, completed)
    worklist.close()

    restarted = open_worklist()
    assert _state(restarted, completed) is IN_PROGRESS, "a step outlives a restart of ours"
    told = restarted.report(completed, OURS, 50, "is analysed")
    assert told is StepAnswer.DONE, "the performer is known by its Transaction UID"
    _check_completed(restarted, completed, study, code)
    _check_cancelled(restarted, cancelled, code)
    left = {step.uid for step in restarted.offered()}
    assert left & set(steps) == {waiting}, "only what nobody has claimed is offered"
    _check_unknown(restarted)
    restarted.close()


def _check_offered(worklist: Worklist, steps: list[str], study: str, code: tuple[str, str]) -> None:
    offered = {step.uid: step for step in worklist.offered()}
    assert set(steps) <= set(offered), "every step that nobody has claimed is offered"
    for uid in steps:
        step = offered[uid]
        assert is_uid(uid) and step.code[:2] == code, "a step says what is asked for"
        assert step.study_uid == study, "a step says on which study"
        assert step.is_ready, "a step says that its input is there"
        assert _state(worklist, uid) is ProcedureStepState.SCHEDULED


def _check_claimed(worklist: Worklist, uid: str) -> None:
    assert worklist.claim(uid, OURS) is StepAnswer.DONE
    assert _state(worklist, uid) is IN_PROGRESS
    assert worklist.claim(uid, THEIRS) is StepAnswer.CONFLICT, "only one performer has a step"
    again = worklist.claim(uid, OURS)
    if again is StepAnswer.CONFLICT:  # after a crash it is found out in this way
        again = worklist.report(uid, OURS, 0, "")
    assert again is StepAnswer.DONE, "who claims a step of theirs once more has it"
    assert uid not in {step.uid for step in worklist.offered()}
    worklist.subscribe(uid)


def _check_left(worklist: Worklist, uid: str) -> None:
    """Nobody else can tell anything of a step."""
    assert worklist.report(uid, OURS, 10, "waits for a worker") is StepAnswer.DONE
    assert worklist.report(uid, THEIRS, 90, "no") is StepAnswer.CONFLICT
    nothing = _performed(("x", "99X"), ())
    assert worklist.complete(uid, THEIRS, nothing) is StepAnswer.CONFLICT
    assert worklist.cancel(uid, THEIRS, nothing, "no") is StepAnswer.CONFLICT
    assert _state(worklist, uid) is IN_PROGRESS


def _check_completed(worklist: Worklist, uid: str, study: str, code: tuple[str, str]) -> None:
    instances = (("1.2.840.10008.5.1.4.1.1.88.34", derived_uid("check_worklist", "result")),)
    series = OutputSeries(study, derived_uid("check_worklist", "series"), instances, "PACS")
    performed = _performed(code, (series,))
    assert worklist.complete(uid, OURS, performed) is StepAnswer.DONE
    assert _state(worklist, uid) is ProcedureStepState.COMPLETED
    again = worklist.complete(uid, OURS, performed)  # a crash came before it was noted
    assert again in (StepAnswer.DONE, StepAnswer.CONFLICT)
    cancelled = worklist.cancel(uid, OURS, performed, "too late")
    assert cancelled is not StepAnswer.DONE, "a step that has ended stays so"
    assert _state(worklist, uid) is ProcedureStepState.COMPLETED


def _check_cancelled(worklist: Worklist, uid: str, code: tuple[str, str]) -> None:
    performed = _performed(code, ())
    assert worklist.claim(uid, OURS) is StepAnswer.DONE
    assert worklist.cancel(uid, OURS, performed, "it cannot be analysed") is StepAnswer.DONE
    assert _state(worklist, uid) is ProcedureStepState.CANCELED
    again = worklist.cancel(uid, OURS, performed, "it cannot be analysed")
    assert again in (StepAnswer.DONE, StepAnswer.CONFLICT)
    assert worklist.claim(uid, THEIRS) is not StepAnswer.DONE, "a step that has ended stays so"


def _check_unknown(worklist: Worklist) -> None:
    unknown = derived_uid("check_worklist", "unknown")
    assert worklist.standing(unknown) is None, "what is not there is said to be gone"
    assert worklist.claim(unknown, OURS) is StepAnswer.GONE


def _state(worklist: Worklist, uid: str) -> ProcedureStepState | None:
    standing = worklist.standing(uid)
    if standing is None:
        return None
    is_ours = standing.state is IN_PROGRESS
    assert not (is_ours and standing.is_unwanted), "nobody wants it canceled"
    return standing.state


def _performed(code: tuple[str, str], outputs: tuple[OutputSeries, ...]) -> PerformedStep:
    now = time.time()
    return PerformedStep((*code, "Look at it"), "HILUM", now - 60, now, outputs)
