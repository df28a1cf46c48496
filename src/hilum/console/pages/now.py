"""The page Now: whether all is well, what waits where, and how the last hour and day went."""

import time
from collections.abc import Sequence
from importlib.metadata import version

from fastapi import Request
from fastapi.responses import HTMLResponse

from hilum.alarms import Alarm, alarms_now, views_of
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.inbox.room import free_mib
from hilum.people.roles import Permission
from hilum.records import views
from hilum.severity import Severity
from hilum.wording import counted

endpoints = pages("Now", place=1)


@endpoints.get("/", Permission.LOOK, response_class=HTMLResponse)
def now(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    site, records = desk.site, desk.records
    moment = time.time()
    alarms = alarms_now(site, records, moment)
    studies, images = records.studies.totals()
    return desk.rendering.page(
        request,
        "now.html",
        now=moment,
        look=_look(alarms),
        sentence=_sentence(alarms),
        list_of_alarms=views_of(alarms),
        view=views.now_view(records, moment),
        sources=views.sources(site, records),
        destinations=views.destinations(site, records),
        receiver=f"{site.receiver.ae_title} on {site.receiver.host}:{site.receiver.port}",
        free=f"{free_mib(site.data) / 1024:.0f} GiB",
        workers=site.worker.count,
        studies=studies,
        images=images,
        ever=studies > 0,
        version=version("hilum"),
    )


def _look(alarms: Sequence[Alarm]) -> str:
    if any(alarm.severity is not Severity.WARNING for alarm in alarms):
        return "failed"
    return "caution" if alarms else "well"


def _sentence(alarms: Sequence[Alarm]) -> str:
    """How things stand, in one sentence."""
    if not alarms:
        return "All is well."
    worst = [alarm for alarm in alarms if alarm.severity is alarms[0].severity]
    rest = len(alarms) - 1
    more = f", and {counted(rest, 'more alarm')}" if rest else ""
    return f"Something needs a person: {worst[0].name}{more}."
