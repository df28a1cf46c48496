"""Which analyses wait for the hours of their rule: those of today's rule, if it is still there.

And how long others wait for the findings of these.
"""

import math
from collections.abc import Iterable

from hilum.config.hours import in_words, is_within, last_begin, next_begin
from hilum.config.site import Rule
from hilum.records.models.workitems import WaitingAnalyses, Workitem
from hilum.records.states import UNFINISHED, WorkitemState
from hilum.wording import counted, moment

PATIENCE_SECONDS = 3600.0  # after which a run begins without findings that have not come


class OpenHours:
    """The hours in which analyses begin, as `rules` have them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._of_rules = {rule.key: rule.hours for rule in rules}

    def since(self, item: Workitem | WaitingAnalyses, now: float) -> float:
        """Since when it may begin (s since 1970): 0 if it always may, infinity if not now."""
        hours = self._of(item)
        if not hours:
            return 0.0
        return last_begin(hours, now) if is_within(hours, now) else math.inf

    def waits(self, item: Workitem, now: float) -> bool:
        """Whether it has not begun, and is not to begin at this time of the day."""
        return item.state is WorkitemState.SCHEDULED and self.since(item, now) == math.inf

    def awaited(self, item: Workitem, runs: Iterable[Workitem], now: float) -> list[Workitem]:
        """Those of `runs` for whose findings `item`, which is to be given them, waits.

        It waits no longer than `PATIENCE_SECONDS` after all of them may begin.
        """
        unfinished = [run for run in runs if run.state in UNFINISHED]
        since = max([item.created, *(self.since(run, now) for run in unfinished)])
        is_over = item.state is not WorkitemState.SCHEDULED or now - since > PATIENCE_SECONDS
        return [] if is_over else unfinished

    def told(self, item: Workitem, now: float) -> str:
        """That it waits, until when and why, to follow what waits; "" if it does not."""
        if not self.waits(item, now):
            return ""
        hours = self._of(item)
        begins = moment(next_begin(hours, now))
        return f"waits until {begins}, because its rule analyses {in_words(hours)} only"

    def told_of_all(self, waiting: Iterable[WaitingAnalyses], now: float) -> str:
        """How many analyses wait for their hours, and until when, as a sentence; "" for none."""
        closed = [one for one in waiting if self.since(one, now) == math.inf]
        if not closed:
            return ""
        number = sum(one.number for one in closed)
        first = min(next_begin(self._of(one), now) for one in closed)
        verb, whose = ("waits", "its rule") if number == 1 else ("wait", "their rules")
        begins = moment(first)
        return f"{counted(number, 'analysis')} {verb} for the hours of {whose}, from {begins} on"

    def _of(self, item: Workitem | WaitingAnalyses) -> str:
        if isinstance(item, Workitem):
            is_free, recorded = item.at_once or item.asked, item.rule.hours
        else:
            is_free, recorded = not item.rule_key, item.hours
        return "" if is_free else self._of_rules.get(item.rule_key, recorded)
