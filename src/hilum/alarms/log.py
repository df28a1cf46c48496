"""Notes when alarms begin and end, in the records and in the log, and owes it to the notifiers."""

import logging
import time
import uuid
from collections.abc import Callable

from hilum.alarms import alarms_now
from hilum.alarms.alarm import Alarm
from hilum.alarms.kinds.notifiers import PREFIX
from hilum.config.kinds import NotifierSettings
from hilum.config.site import Site
from hilum.records import Records
from hilum.records.models.alarms import BegunAlarm, Notice
from hilum.severity import AlarmChange, Severity

REMIND_SECONDS = 24 * 3600.0  # after which what still stands is told again

log = logging.getLogger(__name__)


class AlarmLog:
    """Notes when an alarm begins and ends, once each, and once a day that it still stands.

    Only one works on the same records. A notifier that is new is told of every alarm that stands.
    `clock` gives the time in s since
    1970.
    """

    def __init__(
        self, site: Site, records: Records, clock: Callable[[], float] = time.time
    ) -> None:
        self._site = site
        self._records = records
        self._clock = clock
        self._known = records.alarms.begun()
        records.notices.forget_others([settings.name for settings in site.notify])
        for settings in site.notify:
            standing = [
                _notice(settings, alarm, AlarmChange.BEGAN, clock())
                for alarm in self._known.values()
                if _is_for(settings, alarm)
            ]
            records.notices.begin(settings.name, standing)

    def check(self) -> bool:
        """Compare with the facts, every few seconds; whether there is something to tell."""
        now = self._clock()
        alarms = {alarm.name: alarm for alarm in alarms_now(self._site, self._records, now)}
        told = [(alarm, change) for alarm in alarms.values() if (change := self._news(alarm, now))]
        over = [begun for name, begun in self._known.items() if name not in alarms]
        for alarm, change in told:
            if change is AlarmChange.BEGAN:
                is_fault = alarm.severity is not Severity.INFORMATION
                level = logging.ERROR if is_fault else logging.INFO
                log.log(level, "alarm: %s: %s", alarm.text, alarm.cure_here)
            begun = _begun(alarm, now)
            self._records.alarms.begin(begun, self._notices(begun, change, now))
            self._known[begun.name] = begun
        for begun in over:
            log.warning("the alarm is over: %s", begun.name)
            self._records.alarms.end(begun.name, self._notices(begun, AlarmChange.ENDED, now))
            del self._known[begun.name]
        return bool(told or over)

    def _news(self, alarm: Alarm, now: float) -> AlarmChange | None:
        """What is to be told of an alarm that stands now, if anything is."""
        known = self._known.get(alarm.name)
        if known is None or not known.severity.reaches(alarm.severity):  # new, or graver
            return AlarmChange.BEGAN
        return AlarmChange.STILL if now - known.told_at >= REMIND_SECONDS else None

    def _notices(self, alarm: BegunAlarm, change: AlarmChange, now: float) -> list[Notice]:
        return [
            _notice(settings, alarm, change, now)
            for settings in self._site.notify
            if _is_for(settings, alarm) and (settings.remind or change is not AlarmChange.STILL)
        ]


def _begun(alarm: Alarm, now: float) -> BegunAlarm:
    since = now if alarm.since is None else alarm.since
    said = (alarm.text, alarm.cure, alarm.studies)
    return BegunAlarm(alarm.name, alarm.severity, since, now, *said)


def _is_for(settings: NotifierSettings, alarm: BegunAlarm) -> bool:
    """Whether a notifier tells of it: grave enough, and not that the notifier itself fails."""
    is_own = alarm.name == f"{PREFIX}{settings.name}"
    return alarm.severity.reaches(settings.severity) and not is_own


def _notice(
    settings: NotifierSettings, alarm: BegunAlarm, change: AlarmChange, now: float
) -> Notice:
    return Notice(
        notifier=settings.name,
        id=uuid.uuid4().hex,
        alarm=alarm.name,
        severity=alarm.severity,
        change=change,
        at=now,
        since=alarm.since,
        text=alarm.text,
        cure=alarm.cure,
        studies=alarm.studies,
    )
