"""What was decided about a study is put on record: why a module was not run, and each series."""

from collections.abc import Iterator

from hilum.arrival import Arrival
from hilum.assembly import Hold, NotApplicable, Run, is_same_reason
from hilum.config.site import Rule
from hilum.records import Records
from hilum.records.states import ENDED, EventKind
from hilum.routing import Selection
from hilum.workitems import Workitems

MOST_VERDICTS = 200  # lines in the trace of one decision


class NotRun:
    """Records why modules were not run."""

    def __init__(self, records: Records, workitems: Workitems) -> None:
        self._records = records
        self._workitems = workitems

    def note(self, rule: Rule, arrival: Arrival, why: Hold | NotApplicable) -> None:
        """Record, once, why a module was not run on a study.

        One that is held after a run is noted: the result on fewer images stands, and that it does
        not show the whole series must be seen.
        """
        shows_gap = isinstance(why, Hold) and not arrival.removed  # what was removed is no gap
        if not shows_gap and self._records.workitems.last_run(arrival.study_uid, rule.key):
            return
        if self._is_analysed_all_the_same(rule, arrival, why.selection):
            return
        item = self._workitems.not_run(rule, arrival, why)
        known = self._records.workitems.get(item.id)
        if known and known.state is item.state and is_same_reason(known.reason, item.reason):
            return
        lines = [*verdicts_of(why.selection), (EventKind(item.state), item.reason)]
        self._records.workitems.note_not_run(item, lines)

    def _is_analysed_all_the_same(self, rule: Rule, arrival: Arrival, selection: Selection) -> bool:
        """Whether a person had these very images analysed although the series is short."""
        if not selection.complete:
            return False
        run = self._workitems.run(rule, arrival, Run(selection, ""))
        known = self._records.workitems.get(run.id)
        return known is not None and bool(known.incomplete) and known.state not in ENDED


def verdicts_of(selection: Selection) -> Iterator[tuple[EventKind, str]]:
    """What was decided about each series, for the trace; the chosen ones first."""
    for text in selection.reasons[:MOST_VERDICTS]:
        yield EventKind.SERIES, text
    if (more := len(selection.reasons) - MOST_VERDICTS) > 0:
        yield EventKind.SERIES, f"rejected: {more} more series or volumes"
