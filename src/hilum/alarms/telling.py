"""Tells people of alarms, in threads of their own: a mail server that hangs holds up nobody else.

What is to be told is a row of the records until it was told, so it survives a crash. A message that
may have been sent is sent again as the same message, with the same id.
"""

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from hilum.alarms.alarm import naming
from hilum.alarms.log import AlarmLog
from hilum.config.kinds import NotifierSettings
from hilum.config.site import Site
from hilum.errors import NotificationError, where
from hilum.logs import going_on
from hilum.notifiers import AlarmMessage, AlarmNews, Notifier, open_notifier
from hilum.records import Records
from hilum.records.models.alarms import Notice, NotifierStanding

CHECK_SECONDS = 10.0  # between two looks for alarms
START_SECONDS = 15.0  # before the first look: what starts beside us is not missing
FIRST_RETRY_SECONDS = 10.0
LAST_RETRY_SECONDS = 1800.0
IDLE_SECONDS = 3600.0  # whoever has something to tell wakes us

log = logging.getLogger(__name__)


class AlarmWatch:
    """Looks for alarms and has them told, in threads of this process."""

    def __init__(self, site: Site, records: Records) -> None:
        self._log = AlarmLog(site, records)
        self._tellers = [Teller(settings, records) for settings in site.notify]

    def start(self) -> None:
        """Begin; the threads end with the process."""
        for teller in self._tellers:
            threading.Thread(target=teller.keep_telling, name="notifier", daemon=True).start()
        threading.Thread(target=self._keep_checking, name="alarms", daemon=True).start()

    def _keep_checking(self) -> None:
        time.sleep(START_SECONDS)
        while True:
            with going_on("alarms", log):
                if self._log.check():
                    for teller in self._tellers:
                        teller.wake()
            time.sleep(CHECK_SECONDS)


class Teller:
    """Sends what one notifier has to tell; it is `opened` for each message.

    `clock` gives the time in s since 1970.
    """

    def __init__(
        self,
        settings: NotifierSettings,
        records: Records,
        clock: Callable[[], float] = time.time,
        opened: Callable[[NotifierSettings], Notifier] = open_notifier,
    ) -> None:
        self._opened = opened
        self._settings = settings
        self._records = records
        self._clock = clock
        self._woken = threading.Event()

    def wake(self) -> None:
        """There may be something new to tell."""
        self._woken.set()

    def keep_telling(self) -> None:
        """Tell whatever there is, for ever."""
        while True:
            self._woken.clear()
            pause = LAST_RETRY_SECONDS
            with going_on(f"notifier {self._settings.name}", log):
                pause = self.tell_next()
            self._woken.wait(pause)

    def tell_next(self) -> float:
        """Send the next message, if it is time to; seconds until the next turn."""
        name = self._settings.name
        standing = self._records.notices.standing(name)
        due = max(standing.next_attempt, standing.sent_at + self._settings.pause_seconds)
        if not self._records.notices.owed(name):
            return IDLE_SECONDS
        longest = max(LAST_RETRY_SECONDS, self._settings.pause_seconds)
        if 0 < (pause := due - self._clock()) <= longest:  # it is more if the clock was set back
            return pause
        notices = self._records.notices.next_message(name, f"msg_{uuid.uuid4().hex}")
        message = message_of(notices, self._settings.study_uids)
        try:
            self._opened(self._settings).send(message)
        except NotificationError as error:
            return self._note_failure(standing, str(error))
        except Exception as error:  # noqa: BLE001 - around one message: a plug-in may raise anything
            return self._note_failure(standing, f"{name}: unforeseen error: {where(error)}")
        self._records.notices.note_sent(name, message.id, self._clock())
        log.info("notifier %s: told of %s", name, ", ".join(n.alarm for n in notices))
        return 0.0

    def _note_failure(self, standing: NotifierStanding, problem: str) -> float:
        now, attempts = self._clock(), standing.attempts + 1
        pause = float(min(FIRST_RETRY_SECONDS * 2 ** (attempts - 1), LAST_RETRY_SECONDS))
        log.warning("notifier %s; again in %.0f s", problem, pause)
        self._records.notices.note_standing(
            replace(
                standing,
                attempts=attempts,
                next_attempt=now + pause,
                failing_since=standing.failing_since or now,
                problem=problem,
            )
        )
        return pause


def message_of(notices: Iterable[Notice], with_uids: bool) -> AlarmMessage:
    """The message that `notices` are told in; all of them are part of the same one."""
    told = list(notices)
    news = tuple(_news(notice, with_uids) for notice in told)
    return AlarmMessage(told[0].message, told[-1].at, news, socket.gethostname())


def _news(notice: Notice, with_uids: bool) -> AlarmNews:
    uids = notice.studies if with_uids else ()
    return AlarmNews(
        id=notice.id,
        alarm=notice.alarm,
        severity=notice.severity,
        change=notice.change,
        at=notice.at,
        since=notice.since,
        text=notice.text,
        cure=naming(notice.cure, uids),
        studies=len(notice.studies),
        study_uids=uids,
    )
