"""Analyses wait because the server that computes a module is away."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.severity import Severity
from hilum.wording import counted


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each module of which analyses were put back."""
    for module, waiting in sorted(facts.records.workitems.put_back_by_module().items()):
        count = counted(len(waiting), "analysis")
        yield Alarm(
            f"server {module}",
            Severity.ERROR,
            f"{count} by {module} wait{'s' if len(waiting) == 1 else ''}: {waiting[-1].failure}",
            "see to the server, or correct its [[host]]; they are tried again by themselves, and "
            f"`hilum modules disable {module}` has them wait without being tried",
            since=waiting[0].created,
            studies=tuple(item.study_uid for item in waiting),
        )
