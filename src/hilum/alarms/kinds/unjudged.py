"""Studies that a rule cannot look at: for a broken module, a lack of the machine, or an error."""

from collections.abc import Iterator, Sequence

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.models.studies import Study
from hilum.records.states import StudyWait
from hilum.severity import Severity
from hilum.wording import counted, listed

A_WHILE = 300.0  # s, for which the machine may lack something
MOST_REASONS = 3  # that are told
KEPT = "their images are kept until then, however full the disk is"
CURES = {
    StudyWait.MODULE: "have the module work again, which `hilum modules` tells of, and restart"
    f" `hilum serve`; or take its rule out of hilum.toml; {KEPT}",
    StudyWait.MACHINE: f"see in `hilum check` what this machine lacks; {KEPT}",
    StudyWait.MISTAKE: f"report it to the makers of the module with `hilum trace STUDY`; {KEPT}",
}


def alarms(facts: Facts) -> Iterator[Alarm]:
    """One for each thing that studies wait for, without what may be over at once."""
    waiting = facts.records.studies.unjudged()
    for wait, cure in CURES.items():
        studies = [study for study in waiting if study.waits_for is wait]
        is_over_soon = wait is StudyWait.MACHINE
        if not studies or (is_over_soon and facts.now - studies[0].last_at < A_WHILE):
            continue
        yield Alarm(
            f"unjudged {wait}",
            Severity.ERROR,
            f"{counted(len(studies), 'study')} cannot be judged: {_reasons(studies)}",
            cure,
            studies=tuple(study.study_uid for study in studies),
        )


def _reasons(studies: Sequence[Study]) -> str:
    reasons = list(dict.fromkeys(study.obstacle for study in studies))
    more = len(reasons) - MOST_REASONS
    return listed([*reasons[:MOST_REASONS], *([f"{more} more"] if more > 0 else [])])
