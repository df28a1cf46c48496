"""What each rule of the site decides on an open study, and what is done where one cannot."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hilum.config.site import Rule
from hilum.dicom.study import Study
from hilum.errors import MachineError, is_of_the_machine, where
from hilum.module import Need
from hilum.study.arrival import Arrival
from hilum.study.assembly import RuleDecision, Wait, decide
from hilum.study.routing import applies
from hilum.study.workitems import Workitems
from hilum.wording import NOT_JUDGED, NOT_JUDGED_NOW, NOT_JUDGED_YET

UNJUDGED_SECONDS = 3600.0  # before a study that raised an error is looked at again
MACHINE_SECONDS = 30.0  # the same where the machine lacked something: it may have it soon
UNKNOWN = "it is not installed"

log = logging.getLogger(__name__)


class Unjudged(NamedTuple):
    """Why nothing could be decided on a study. It may be that the machine lacked something."""

    text: str
    is_of_the_machine: bool = False

    @property
    def seconds(self) -> float:
        """How long until it is looked at again, in s."""
        return MACHINE_SECONDS if self.is_of_the_machine else UNJUDGED_SECONDS


def unjudged(error: Exception) -> Unjudged:
    """What an error means that came up while the rules looked at a study.

    What the machine lacks is no fault of the study, and is tried again soon.
    """
    if is_of_the_machine(error):
        lack = str(error) if isinstance(error, MachineError) else where(error)
        return Unjudged(f"{NOT_JUDGED_NOW}: {lack}", is_of_the_machine=True)
    return Unjudged(f"{NOT_JUDGED}: {where(error)}")


class Rules:
    """Asks the `rules`; `needs` are those of each module that can be used, by name.

    `problems` say why others cannot be.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        needs: Mapping[str, Mapping[str, Need]],
        problems: Mapping[str, str],
        workitems: Workitems,
    ) -> None:
        self._rules = rules
        self._needs = needs
        self._problems = problems
        self._workitems = workitems

    def decisions(
        self, arrival: Arrival, study: Study, now: float
    ) -> list[tuple[Rule, RuleDecision]]:
        """Every rule that applies with its decision at time `now`, in the order to follow them.

        A rule that cannot decide waits. No other rule waits for one whose module cannot be used.
        """
        rules = [rule for rule in self._rules if applies(rule, study)]
        usable = [rule for rule in rules if rule.module in self._needs]
        decided = [self.decision(arrival, rule, now) for rule in usable]
        pairs = zip(usable, decided, strict=True)
        decided = [self._workitems.earlier.after(study.uid, r, d, now) for r, d in pairs]
        waits = [(rule, self._without_module(rule)) for rule in rules if rule not in usable]
        return [*self._workitems.composition.in_turn(usable, decided), *waits]

    def decision(self, arrival: Arrival, rule: Rule, now: float) -> RuleDecision:
        """What one rule, of the site or made for a person, decides on the images of a study."""
        if rule.module not in self._needs:
            return self._without_module(rule)
        try:
            return decide(arrival, self._needs[rule.module], rule, now)
        except (MachineError, MemoryError, OSError) as error:
            why = unjudged(error)
            if not why.is_of_the_machine:
                raise
            log.warning("study %s, module %s: %s", arrival.study_uid, rule.module, why.text)
            return _wait(why)

    def _without_module(self, rule: Rule) -> Wait:
        why = self._problems.get(rule.module, UNKNOWN)
        text = f"{NOT_JUDGED_YET}: the module {rule.module} cannot be used: {why}"
        return _wait(Unjudged(text))  # a module is looked for at a start only


def _wait(why: Unjudged) -> Wait:
    """To wait for what is no image."""
    return Wait(why.seconds, why.text, silence=0.0, patience=0.0, has_series=False)
