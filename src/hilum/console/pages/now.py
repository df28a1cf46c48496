"""The page Now: whether all is well, what waits where, and how the last hour and day went."""

import time
from collections.abc import Sequence
from importlib.metadata import version

from fastapi import Request
from fastapi.responses import HTMLResponse

from hilum.alarms import Alarm, alarms_now, views_of
from hilum.alarms.alarm import MOST_NAMED
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.rendering import look
from hilum.inbox.room import free_mib
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import DestinationState
from hilum.records.views import DestinationView, SourceView, WorklistView
from hilum.severity import Severity
from hilum.study.hours import OpenHours
from hilum.wording import counted, listed

endpoints = pages("Now", place=1)


@endpoints.get("/", Permission.LOOK, response_class=HTMLResponse)
def now(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    site, records = desk.site, desk.records
    moment = time.time()
    alarms = alarms_now(site, records, moment)
    studies, images = records.studies.totals()
    sources = views.sources(site, records)
    destinations = views.destinations(site, records)
    worklists = views.worklists(site, records)
    places: list[SourceView | WorklistView | DestinationView] = [
        *sources,
        *worklists,
        *destinations,
    ]
    at_work = [place for place in places if place.paused is None]
    silent = [place.name for place in at_work if look(place.state) == "failed"]
    unknown = [place.name for place in at_work if place.state is DestinationState.UNKNOWN]
    view = views.now_view(records, moment)
    sentence, seen = _sentence(alarms, silent, unknown)
    named = {uid for alarm in alarms for uid in alarm.studies[:MOST_NAMED]}
    return desk.rendering.page(
        request,
        "now.html",
        now=moment,
        sentence=sentence,
        seen=seen,
        list_of_alarms=views_of(alarms),
        addresses=records.identifiers.addresses(named),
        view=view,
        waits=OpenHours(site.rule).told_of_all(records.workitems.waiting(), moment),
        sources=sources,
        worklists=worklists,
        destinations=destinations,
        receiver=site.receiver.title_and_place,
        free=f"{free_mib(site.data) / 1024:.0f} GiB",
        workers=site.worker.count,
        studies=studies,
        images=images,
        ever=studies > 0,
        version=version("hilum"),
    )


def _sentence(
    alarms: Sequence[Alarm], silent: Sequence[str], unknown: Sequence[str]
) -> tuple[str, str]:
    """How things stand in one sentence, and how that looks.

    `silent` do not answer; of `unknown` nobody knows yet, because nothing was sent there.
    """
    if alarms and alarms[0].severity is not Severity.INFORMATION:
        rest = sum(alarm.severity is not Severity.INFORMATION for alarm in alarms) - 1
        more = f", and {counted(rest, 'more alarm')}" if rest else ""
        seen = "caution" if alarms[0].severity is Severity.WARNING else "failed"
        return f"Something needs a person: {alarms[0].headline}{more}.", seen
    if silent:
        return (
            f"Nothing needs a person, but there is no answer from {listed(silent)}.",
            "caution",
        )
    if alarms:
        text = f"Nothing needs a person, but something is paused: {alarms[0].name}"
        return text.replace(": paused ", ": ") + ".", "stopped"
    if unknown:
        places, them = listed(unknown), "it" if len(unknown) == 1 else "them"
        text = f"Nothing needs a person. Nothing was sent to {places} yet: test {them} in Network."
        return text, "working"
    return "All is well.", "well"
