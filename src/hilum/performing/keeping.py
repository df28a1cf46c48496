"""The threads of the gateway that perform the steps of worklists: two for each."""

import logging
import threading
from collections.abc import Callable

from hilum.config.site import Site
from hilum.errors import SourceDelayed, SourceError
from hilum.logs import going_on
from hilum.performing import Performer
from hilum.records import Records

REFUSED_SECONDS = 60.0  # before a worklist is asked again that a person has to see to

log = logging.getLogger(__name__)


def start_performers(site: Site, records: Records) -> None:
    """Perform the steps of every worklist of `site`, in threads that end with this process."""
    for settings in site.worklist:
        performer, pause = Performer(site, records, settings), settings.poll_seconds
        looks = (performer.turn, performer.news, pause, f"worklist {settings.name}")
        hears = (performer.listen, threading.Event(), pause, f"events of {settings.name}")
        for words in (looks, hears):
            threading.Thread(target=_keep_doing, args=words, name=words[-1], daemon=True).start()


def _keep_doing(deed: Callable[[], None], news: threading.Event, pause: float, called: str) -> None:
    """Do it, again and again after a pause that news end; say what is wrong once."""
    problem = ""
    while True:
        news.clear()
        seconds, now = pause, ""
        with going_on(called, log):
            try:
                deed()
            except SourceDelayed as error:
                seconds, now = max(seconds, error.pause_seconds), str(error)
            except SourceError as error:
                seconds, now = max(seconds, REFUSED_SECONDS), str(error)
            if now != problem:
                log.warning("%s: %s", called, now or "answers again")
                problem = now
        news.wait(seconds)
