"""A destination answers, and has not taken a result for long: it is full, busy or not in order."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import DeliveryState, DestinationState, PausedKind
from hilum.severity import Severity
from hilum.wording import counted

LATE_SECONDS = 3600.0


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each destination of the settings of which that is so."""
    standings = facts.records.destinations.all()
    before = facts.now - LATE_SECONDS
    late = facts.records.deliveries.studies_in(DeliveryState.DELAYED, owed_before=before)
    for settings, resumed in facts.unpaused(PausedKind.DESTINATION, facts.site.destination):
        standing = standings.get(settings.name)
        is_away = standing and standing.state is DestinationState.UNREACHABLE
        if is_away or max(standing.since if standing else 0.0, resumed) > before:
            continue  # that is an alarm of its own, and what waited meanwhile takes its time
        if studies := late.get(settings.name, []):
            yield Alarm(
                f"late {settings.name}",
                Severity.ERROR,
                f"destination {settings.name} answers, and has not taken the results of "
                f"{counted(len(studies), 'study')} for more than an hour: they are tried again",
                "see in `hilum trace STUDY` what it answers, and have that put right there",
                studies=tuple(studies),
            )
