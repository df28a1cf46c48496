"""A destination has not answered for a while."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import DestinationState, PausedKind
from hilum.severity import Severity

A_WHILE = 300.0  # s; a restart of an archive takes less


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each destination of the settings of which that is so."""
    standings = facts.records.destinations.all()
    for settings, resumed in facts.unpaused(PausedKind.DESTINATION, facts.site.destination):
        standing = standings.get(settings.name)
        if standing is None or standing.state is not DestinationState.UNREACHABLE:
            continue
        if facts.now - max(standing.since, resumed) >= A_WHILE:
            yield Alarm(
                f"destination {settings.name}",
                Severity.ERROR,
                f"destination {settings.name} does not answer: results wait for it here",
                "`hilum destinations` calls it and says what is wrong; everything is sent as soon "
                "as it answers",
                since=standing.since,
            )
