"""Analyses failed, and no destination was told: nobody sees it in an archive."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.severity import Severity
from hilum.wording import counted


def alarms(facts: Facts) -> Iterator[Alarm]:
    """All of them together."""
    uids = tuple(sorted(facts.records.workitems.failed_untold()))
    if uids:
        yield Alarm(
            "failed",
            Severity.WARNING,
            f"analyses of {counted(len(uids), 'study')} failed, and no destination was told: their"
            " images are kept until they are run again, or cancelled",
            "see in `hilum trace STUDY` why; remove the cause, then `hilum retry STUDY`; or leave"
            " it as it is with `hilum cancel STUDY`",
            studies=uids,
        )
