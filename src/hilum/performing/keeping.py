"""The threads of the gateway that perform the steps of worklists, one for each."""

import logging
import threading

from hilum.config.kinds import WorklistSettings
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
        threading.Thread(
            target=_keep_performing,
            args=(site, records, settings),
            name=f"worklist {settings.name}",
            daemon=True,
        ).start()


def _keep_performing(site: Site, records: Records, settings: WorklistSettings) -> None:
    performer = Performer(site, records, settings)
    pause = threading.Event()
    problem = ""
    while True:
        seconds, now = settings.poll_seconds, ""
        with going_on(f"worklist {settings.name}", log):
            try:
                performer.turn()
            except SourceDelayed as error:
                seconds, now = max(seconds, error.pause_seconds), str(error)
            except SourceError as error:
                seconds, now = max(seconds, REFUSED_SECONDS), str(error)
            if now != problem:
                log.warning("worklist %s", now or f"{settings.name} answers again")
                problem = now
        pause.wait(seconds)
