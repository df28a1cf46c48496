"""Alarms: what is wrong now and needs a person, on one list.

Whether an alarm lasts is asked anew each time. `log.py` notes since when, and owes a message about
each beginning and end to every notifier; `telling.py` sends them. To add an alarm, add one file to
`kinds/`: its function `alarms` yields what it finds.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hilum.alarms.alarm import Alarm, Facts
from hilum.alarms.registry import every_kind
from hilum.config.site import Site
from hilum.records import Records
from hilum.records.models.alarms import BegunAlarm
from hilum.severity import Severity

__all__ = ["Alarm", "AlarmView", "alarms_now", "views_of"]


@dataclass(frozen=True)
class AlarmView:
    """An alarm as `status --json` and the API show it; the cure names the first of its studies."""

    name: str
    severity: Severity
    text: str
    cure: str
    since: float | None
    studies: int


def alarms_now(site: Site, records: Records, now: float | None = None) -> list[Alarm]:
    """The alarms of this moment (`now` in s since 1970), the gravest first."""
    facts = Facts(site, records, time.time() if now is None else now)
    begun = records.alarms.begun()
    found = [_with_since(alarm, begun) for kind in every_kind() for alarm in kind(facts)]
    gravest = list(reversed(Severity))
    return sorted(found, key=lambda alarm: gravest.index(alarm.severity))


def views_of(alarms: Iterable[Alarm]) -> list[AlarmView]:
    """Alarms as they are shown."""
    return [
        AlarmView(a.name, a.severity, a.text, a.cure_here, a.since, len(a.studies)) for a in alarms
    ]


def _with_since(alarm: Alarm, begun: Mapping[str, BegunAlarm]) -> Alarm:
    """The alarm with the time at which it was noted, unless it says itself since when it stands."""
    if alarm.since is None and alarm.name in begun:
        return replace(alarm, since=begun[alarm.name].since)
    return alarm
