"""What a person has paused: no fault, but it must not be forgotten."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import PausedKind, WorkitemState
from hilum.severity import Severity

SAID = {
    PausedKind.DESTINATION: "destination {} is paused by {}: its results wait here",
    PausedKind.SOURCE: "source {} is paused by {}: its new images do not come by themselves",
    PausedKind.WORKLIST: "worklist {} is paused by {}: its steps are not performed",
    PausedKind.MODULE: "module {} is disabled by {}: what it is to analyse waits",
}
CURES = {
    PausedKind.DESTINATION: "`hilum resume {} --kind destination` sends them",
    PausedKind.SOURCE: "`hilum resume {} --kind source` fetches what was missed",
    PausedKind.WORKLIST: "`hilum resume {} --kind worklist` has them performed",
    PausedKind.MODULE: "`hilum modules enable {}` analyses it",
}


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each that the settings define, or that something waits for."""
    site = facts.site
    unfinished = facts.records.workitems.unfinished()
    waited_for = {module for module, state in unfinished if state is WorkitemState.SCHEDULED}
    defined = {
        PausedKind.DESTINATION: {settings.name for settings in site.destination},
        PausedKind.SOURCE: {settings.name for settings in site.source},
        PausedKind.WORKLIST: {settings.name for settings in site.worklist},
        PausedKind.MODULE: {rule.module for rule in site.rule} | waited_for,
    }
    for pause in facts.records.pauses.all():
        if pause.name in defined[pause.kind]:
            yield Alarm(
                f"paused {pause.kind} {pause.name}"[:80],
                Severity.INFORMATION,
                SAID[pause.kind].format(pause.name, pause.person),
                CURES[pause.kind].format(pause.name),
                since=pause.since,
            )
