"""What other rules would do with the latest studies that are here."""

from dataclasses import dataclass

from hilum.config.site import Rule
from hilum.console.desk import Desk
from hilum.inbox import Inbox
from hilum.records.search import StudyQuery
from hilum.study.trying import RuleTrial, TrialOutcome, study_on_disk, try_rules

MOST_STUDIES = 20


@dataclass(frozen=True)
class StudyTrial:
    """What the running rules would do with one study, and what the rules on trial would."""

    address: str
    description: str
    running: tuple[RuleTrial, ...]
    tried: tuple[RuleTrial, ...]

    @property
    def differs(self) -> bool:
        """Whether the rules on trial would do something else."""
        return _done(self.running) != _done(self.tried)


def trials_of(desk: Desk, wanted: tuple[Rule, ...], studies: int) -> list[StudyTrial]:
    """What the rules `wanted` would do with the latest `studies`; nothing is done."""
    query = StudyQuery()
    inbox = Inbox(desk.site.data)
    trials = []
    for row in desk.records.search.page(query, desk.records.search.count(query), 0, studies):
        arrival = study_on_disk(row.study_uid, inbox.study_folder(row.study_uid))
        if arrival.instances:
            running, tried = (
                tuple(try_rules(arrival, of, desk.modules.needs)) for of in (desk.site.rule, wanted)
            )
            trials.append(StudyTrial(row.address, row.description, running, tried))
    return trials


def _done(trials: tuple[RuleTrial, ...]) -> set[tuple[str, str, tuple[str, ...]]]:
    """What comes of it; why a rule does nothing is not a difference."""
    done = (TrialOutcome.ANALYSE, TrialOutcome.HOLD)
    return {(one.module, one.outcome, one.series) for one in trials if one.outcome in done}
