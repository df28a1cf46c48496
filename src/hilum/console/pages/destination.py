"""The page of one destination: how its last day went, what waits there, and what can be done."""

import time
from typing import Annotated

from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.config.kinds import DestinationSettings
from hilum.console.acting import ask_for_each
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.pausing import PauseReason, end_pause, refused_pause
from hilum.console.refusing import RefusedForm
from hilum.destinations import checks_of
from hilum.pausing import LONGEST_REASON
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.models.requests import Wish
from hilum.records.states import ARRIVED, PARKED, DeliveryState, PausedKind, RequestAction
from hilum.wording import counted

MOST_LISTED = 50
MOST_AT_ONCE = 500  # results of one act

# What can be asked for of everything that is parked there, or waits for its next attempt.
ACTS = (RequestAction.RELEASE, RequestAction.RETRY)

endpoints = pages()


@endpoints.get("/network/destinations/{name}", Permission.LOOK, response_class=HTMLResponse)
def destination(
    request: Request, desk: OurDesk, name: str, asked: int | None = None
) -> HTMLResponse:
    """The page; `asked` is how much was just asked for."""
    return _page(request, desk, _settings(desk, name), asked=asked)


@endpoints.post("/network/destinations/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Try what a delivery needs there, as `hilum destinations` does; a part of the page."""
    checks = list(checks_of(_settings(desk, name)))
    return desk.rendering.page(request, "checks.html", checks=checks)


@endpoints.post("/network/destinations/{name}/pause", Permission.ACT)
def pause(
    request: Request, desk: OurDesk, visitor: OurVisitor, name: str, reason: PauseReason = ""
) -> Response:
    """Send nothing there until it is resumed."""
    settings = _settings(desk, name)
    if refused := refused_pause(desk, visitor, PausedKind.DESTINATION, name, reason):
        return _page(request, desk, settings, refused=refused)
    return RedirectResponse(f"/network/destinations/{name}", 303)


@endpoints.post("/network/destinations/{name}/resume", Permission.ACT)
def resume(desk: OurDesk, visitor: OurVisitor, name: str) -> Response:
    """Let it go on."""
    _settings(desk, name)
    end_pause(desk, visitor, PausedKind.DESTINATION, name)
    return RedirectResponse(f"/network/destinations/{name}", 303)


@endpoints.get("/network/destinations/{name}/acts", Permission.ACT, response_class=HTMLResponse)
def confirm(request: Request, desk: OurDesk, name: str, act: RequestAction) -> HTMLResponse:
    """The page with how many results an act is about, and the button that does it."""
    return _page(request, desk, _settings(desk, name), confirmed=act)


@endpoints.post("/network/destinations/{name}/acts", Permission.ACT)
def act_on_all(
    desk: OurDesk,
    visitor: OurVisitor,
    name: str,
    act: Annotated[RequestAction, Form()],
    number: Annotated[int, Form(ge=0)],
) -> Response:
    """Ask the gateway for it with everything that waits there, if that is the `number` shown."""
    _settings(desk, name)
    workitems = _waiting(desk, name, act)
    if len(workitems) != number:
        text = f"it is about {counted(len(workitems), 'result')} now, not {number}: look again"
        raise HTTPException(409, text)
    here = Wish(destinations=(name,))  # what is parked elsewhere stays so
    asked = ask_for_each(desk, visitor, act, workitems[:MOST_AT_ONCE], here)
    return RedirectResponse(f"/network/destinations/{name}?asked={asked}", 303)


def _waiting(desk: Desk, name: str, act: RequestAction) -> list[str]:
    """Ids of the workitems that an act is about, the oldest first."""
    if act not in ACTS:
        raise HTTPException(422, "this is done with one study at a time")
    deliveries, is_release = desk.records.deliveries, act is RequestAction.RELEASE
    return deliveries.parked(name) if is_release else deliveries.postponed(name)


def _settings(desk: Desk, name: str) -> DestinationSettings:
    settings = next((one for one in desk.site.destination if one.name == name), None)
    if settings is None:
        raise HTTPException(404, "no such destination is defined")
    return settings


def _page(
    request: Request,
    desk: Desk,
    settings: DestinationSettings,
    confirmed: RequestAction | None = None,
    asked: int | None = None,
    refused: RefusedForm | None = None,
) -> HTMLResponse:
    records, now, name = desk.records, time.time(), settings.name
    parked = records.flow.parked_at(name, MOST_LISTED)
    addresses = records.identifiers.addresses({one.study_uid for one in parked})
    views_by_name = {one.name: one for one in views.destinations(desk.site, records)}
    waiting = {act: len(_waiting(desk, name, act)) for act in ACTS}
    return desk.rendering.page(
        request,
        "destination.html",
        refused.status if refused else 200,
        refused=refused,
        now=now,
        place=views_by_name[name],
        strip_of_day=views.strips_of(records, [name], now)[name],
        arrived=ARRIVED,
        settled=(*ARRIVED, DeliveryState.CANCELLED),
        parked=parked,
        parked_states=PARKED,
        addresses=addresses,
        waiting=waiting,
        acts=RequestAction,
        confirmed=confirmed,
        most=MOST_AT_ONCE,
        asked=asked,
        longest_reason=LONGEST_REASON,
    )
