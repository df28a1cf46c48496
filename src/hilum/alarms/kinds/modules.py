"""A module gives no result any more: its newest analyses all failed or were refused."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import WorkitemState
from hilum.severity import Severity
from hilum.summary import refusal_in

NEWEST_ANALYSES = 5  # one after the other,
WITHIN_SECONDS = 24 * 3600.0
ANALYSED = (
    WorkitemState.DELIVERING,
    WorkitemState.COMPLETED,
    WorkitemState.PARKED,
    WorkitemState.FAILED,
)


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each module of a rule of which that is so."""
    since = facts.now - WITHIN_SECONDS
    workitems = facts.records.workitems
    for module in sorted({rule.module for rule in facts.site.rule}):
        newest = workitems.newest_of(module, since, ANALYSED, NEWEST_ANALYSES)
        failed = sum(item.failure is not None for item in newest)
        refused = sum(
            item.failure is None and refusal_in(item.findings or ()) is not None for item in newest
        )
        if failed + refused == NEWEST_ANALYSES:
            yield Alarm(
                f"module {module}",
                Severity.ERROR,
                f"the last {NEWEST_ANALYSES} analyses of {module} gave no result: {failed} failed, "
                f"{refused} were refused",
                "see in `hilum trace STUDY` why the newest one gave none; this alarm ends with the "
                "next result",
                studies=(newest[0].study_uid,),
            )
