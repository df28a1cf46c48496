"""The page of the network: who sends, where results go, what waits there, what was not taken in."""

import time

from fastapi import Request
from fastapi.responses import HTMLResponse

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.inbox.room import is_low
from hilum.inbox.updates import updates_in
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.models.alarms import NotifierStanding
from hilum.records.states import PARKED

endpoints = pages("Network", place=6)


@endpoints.get("/network", Permission.LOOK, response_class=HTMLResponse)
def network(request: Request, desk: OurDesk, saved: int | None = None) -> HTMLResponse:
    """The page; `saved` is the version of the settings that was just made."""
    site, records, now = desk.site, desk.records, time.time()
    told = records.notices.standings()
    names = [settings.name for settings in site.destination]
    return desk.rendering.page(
        request,
        "network.html",
        now=now,
        site=site,
        sources=views.sources(site, records),
        worklists=views.worklists(site, records),
        destinations=views.destinations(site, records),
        saved=saved,
        notifiers=[(one, told.get(one.name, NotifierStanding(one.name))) for one in site.notify],
        strips=views.strips_of(records, names, now),
        parked={name: len(uids) for name, uids in records.deliveries.studies_in(*PARKED).items()},
        rejections=records.rejections.since(),
        quarantine=views.quarantine(site),
        no_room=is_low(site.data, site.receiver.low_water_mb),
        unseen_updates=len(updates_in(site.data)),
    )
