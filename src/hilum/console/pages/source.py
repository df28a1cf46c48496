"""The page of one source: how far the watch is, and what can be done."""

import time

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.acts.pausing import LONGEST_REASON
from hilum.answers import Checked
from hilum.config.kinds import SourceSettings
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.pausing import PauseReason, end_pause, refused_pause
from hilum.console.refusing import RefusedForm
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import PausedKind
from hilum.sources import answer_of

endpoints = pages()


@endpoints.get("/network/sources/{name}", Permission.LOOK, response_class=HTMLResponse)
def source(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """The page."""
    return _page(request, desk, name)


def _page(
    request: Request, desk: Desk, name: str, refused: RefusedForm | None = None
) -> HTMLResponse:
    settings = _settings(desk, name)
    by_name = {one.name: one for one in views.sources(desk.site, desk.records)}
    return desk.rendering.page(
        request,
        "source.html",
        refused.status if refused else 200,
        refused=refused,
        now=time.time(),
        place=by_name[name],
        settings=settings,
        longest_reason=LONGEST_REASON,
    )


@endpoints.post("/network/sources/{name}/test", Permission.ACT, response_class=HTMLResponse)
def test(request: Request, desk: OurDesk, name: str) -> HTMLResponse:
    """Ask the archive whether it answers, as `hilum sources` does; a part of the page."""
    check = Checked("answer", *answer_of(_settings(desk, name)))
    return desk.rendering.page(request, "checks.html", checks=[check])


@endpoints.post("/network/sources/{name}/pause", Permission.ACT)
def pause(
    request: Request, desk: OurDesk, visitor: OurVisitor, name: str, reason: PauseReason = ""
) -> Response:
    """Fetch nothing from it until it is resumed."""
    _settings(desk, name)
    if refused := refused_pause(desk, visitor, PausedKind.SOURCE, name, reason):
        return _page(request, desk, name, refused)
    return RedirectResponse(f"/network/sources/{name}", 303)


@endpoints.post("/network/sources/{name}/resume", Permission.ACT)
def resume(desk: OurDesk, visitor: OurVisitor, name: str) -> Response:
    """Let it go on."""
    _settings(desk, name)
    end_pause(desk, visitor, PausedKind.SOURCE, name)
    return RedirectResponse(f"/network/sources/{name}", 303)


def _settings(desk: Desk, name: str) -> SourceSettings:
    settings = next((one for one in desk.site.source if one.name == name), None)
    if settings is None:
        raise HTTPException(404, "no such source is defined")
    return settings
