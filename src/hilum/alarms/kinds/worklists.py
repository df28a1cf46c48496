"""A worklist cannot be worked from, or does not take what it is told of a step."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.models.requests import WorklistStep
from hilum.records.states import PausedKind, StepState, WorklistState
from hilum.severity import Severity
from hilum.wording import counted

A_WHILE = 300.0  # s; a restart of a worklist takes less
ENDING = (StepState.COMPLETING, StepState.CANCELLING)


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each worklist of the settings with such a problem that has lasted for a while."""
    standings, before = facts.records.worklists.all(), facts.now - A_WHILE
    for settings, resumed in facts.unpaused(PausedKind.WORKLIST, facts.site.worklist):
        standing = standings.get(settings.name)
        if standing is None:  # nobody asks it
            continue
        if standing.state is WorklistState.REACHABLE:
            steps = facts.records.steps.open_of(settings.name)
            untold = [one for one in steps if max(one.since, resumed) <= before and _is_untold(one)]
            if untold:
                yield _of_steps(settings.name, untold)
        elif max(standing.since, resumed) <= before:
            yield Alarm(
                f"worklist {settings.name}",
                Severity.ERROR,
                f"worklist {settings.name} cannot be worked from ({standing.state}): its steps are "
                "not performed, and it is not told what came of them",
                "`hilum worklists` asks it and says what is wrong; everything goes on as soon as "
                "it answers",
                standing.since,
            )


def _is_untold(step: WorklistStep) -> bool:
    return bool(step.problem) or step.state in ENDING


def _of_steps(name: str, steps: list[WorklistStep]) -> Alarm:
    number = counted(len(steps), "step")
    return Alarm(
        f"steps of {name}",
        Severity.WARNING,
        f"worklist {name} does not take what it is told of {number}: whoever looks there does "
        "not see how the analysis stands",
        "`hilum trace STUDY` says what it does not take, and the log of the worklist names the "
        "cause; it is told again at each look",
        min(step.since for step in steps),
        tuple(dict.fromkeys(step.study_uid for step in steps)),
    )
