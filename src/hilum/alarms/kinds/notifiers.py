"""A notifier cannot tell anybody of the alarms."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.severity import Severity

A_WHILE = 900.0  # s; a restart of a mail server takes less
PREFIX = "notifier "


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each notifier of the settings that has failed for a while."""
    standings = facts.records.notices.standings()
    for settings in facts.site.notify:
        standing = standings.get(settings.name)
        if standing is None or standing.failing_since is None:
            continue
        if facts.now - standing.failing_since >= A_WHILE:
            yield Alarm(
                f"{PREFIX}{settings.name}",
                Severity.ERROR,
                f"notifier {settings.name} cannot tell anybody of the alarms: {standing.problem}",
                "`hilum notify` sends a test message and says what is wrong; what could not be "
                "told is sent as soon as that works",
                since=standing.failing_since,
            )
