"""The page of one worklist: whether it answers, which steps are ours, and what can be done."""

import time

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.acts.pausing import LONGEST_REASON
from hilum.answers import Checked
from hilum.config.kinds import WorklistSettings
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.pausing import PauseReason, end_pause, refused_pause
from hilum.console.refusing import RefusedForm
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import PausedKind
from hilum.worklists import answer_of

endpoints = pages()


@endpoints.get("/network/worklists/{name}", Permission.LOOK, response_class=HTMLResponse)
def worklist(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """The page."""
    return _page(request, desk, name)


def _page(
    request: Request, desk: Desk, name: str, refused: RefusedForm | None = None
) -> HTMLResponse:
    settings = _settings(desk, name)
    by_name = {one.name: one for one in views.worklists(desk.site, desk.records)}
    place = by_name[name]
    uids = {step.study_uid for step in place.steps}
    return desk.rendering.page(
        request,
        "worklist.html",
        refused.status if refused else 200,
        refused=refused,
        now=time.time(),
        place=place,
        addresses=desk.records.identifiers.addresses(uids),
        settings=settings,
        longest_reason=LONGEST_REASON,
    )


@endpoints.post("/network/worklists/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Ask the worklist whether it answers, as `hilum worklists` does; a part of the page."""
    check = Checked("answer", *answer_of(_settings(desk, name)))
    return desk.rendering.page(request, "checks.html", checks=[check])


@endpoints.post("/network/worklists/{name}/pause", Permission.ACT)
def pause(
    request: Request, desk: OurDesk, visitor: OurVisitor, name: str, reason: PauseReason = ""
) -> Response:
    """Perform none of its steps until it is resumed."""
    _settings(desk, name)
    if refused := refused_pause(desk, visitor, PausedKind.WORKLIST, name, reason):
        return _page(request, desk, name, refused)
    return RedirectResponse(f"/network/worklists/{name}", 303)


@endpoints.post("/network/worklists/{name}/resume", Permission.ACT)
def resume(desk: OurDesk, visitor: OurVisitor, name: str) -> Response:
    """Let it go on."""
    _settings(desk, name)
    end_pause(desk, visitor, PausedKind.WORKLIST, name)
    return RedirectResponse(f"/network/worklists/{name}", 303)


def _settings(desk: Desk, name: str) -> WorklistSettings:
    settings = next((one for one in desk.site.worklist if one.name == name), None)
    if settings is None:
        raise HTTPException(404, "no such worklist is defined")
    return settings
