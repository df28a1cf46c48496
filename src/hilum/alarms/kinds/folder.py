"""Others than the user who runs Hilum may look into the data folder."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.privacy import open_to_others
from hilum.severity import Severity


def alarms(facts: Facts) -> Iterator[Alarm]:
    """The data folder has rights for others."""
    if found := open_to_others(facts.site.data):
        text, _, cure = found.rpartition(": ")
        yield Alarm("folder", Severity.ERROR, text, cure)
