"""The page of the network: who sends, where results go, what waits there, what was not taken in."""

import time

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.destinations import checks_of
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import ARRIVED, PARKED, DeliveryState
from hilum.sources import answer_of

endpoints = pages("Network", place=6)


@endpoints.get("/network", Permission.LOOK, response_class=HTMLResponse)
def network(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    site, records = desk.site, desk.records
    parked = records.deliveries.studies_in(*PARKED)
    uids = {uid for studies in parked.values() for uid in studies}
    return desk.rendering.page(
        request,
        "network.html",
        now=time.time(),
        site=site,
        sources=views.sources(site, records),
        destinations=views.destinations(site, records),
        arrived=ARRIVED,
        settled=(*ARRIVED, DeliveryState.CANCELLED),
        parked=parked,
        addresses=records.identifiers.addresses(uids),
        rejections=records.rejections.since(),
        quarantine=views.quarantine(site),
    )


@endpoints.post("/network/destinations/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test_destination(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Try what a delivery needs there, as `hilum destinations` does; a part of the page."""
    settings = next((one for one in desk.site.destination if one.name == name), None)
    if settings is None:
        raise HTTPException(404, "no such destination is defined")
    return desk.rendering.page(request, "checks.html", checks=list(checks_of(settings)))


@endpoints.post("/network/sources/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test_source(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Ask the archive whether it answers, as `hilum sources` does; a part of the page."""
    settings = next((one for one in desk.site.source if one.name == name), None)
    if settings is None:
        raise HTTPException(404, "no such source is defined")
    good, text = answer_of(settings)
    check = {"what": "answer", "good": good, "text": text}
    return desk.rendering.page(request, "checks.html", checks=[check])
