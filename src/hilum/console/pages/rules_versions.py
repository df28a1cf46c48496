"""The pages of the versions of hilum.toml: who changed what, and the way back."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.config import site_in
from hilum.config.versions import SettingsVersion
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.saving import difference, file_of, require_same, save, why_fixed
from hilum.errors import ConfigurationError
from hilum.people.roles import Permission

ON_A_PAGE = 50

endpoints = pages()


@endpoints.get("/rules/versions", Permission.CONFIGURE, response_class=HTMLResponse)
def versions(request: Request, desk: OurDesk, before: int = 0) -> HTMLResponse:
    """The newest versions, or those with a number below `before`."""
    numbers = [n for n in reversed(desk.versions.numbers()) if not before or n < before]
    shown = list(filter(None, map(desk.versions.one, numbers[:ON_A_PAGE])))
    return desk.rendering.page(
        request, "rules_versions.html", versions=shown, has_more=len(numbers) > ON_A_PAGE
    )


@endpoints.get("/rules/versions/{number}", Permission.CONFIGURE, response_class=HTMLResponse)
def version(request: Request, desk: OurDesk, number: int) -> HTMLResponse:
    """One version: what it changed, and what going back to it would change."""
    return _page(request, desk, _version(desk, number))


@endpoints.post("/rules/versions/{number}", Permission.CONFIGURE, response_class=HTMLResponse)
def go_back(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    number: int,
    based_on: Annotated[str, Form(max_length=64)],
) -> Response:
    """Have the settings file say again what it said in this version."""
    chosen = _version(desk, number)
    try:
        now = file_of(desk).read()
        require_same(now, based_on)
        made = save(request, desk, visitor, now, chosen.text, f"back to version {number}")
    except ConfigurationError as error:
        return _page(request, desk, chosen, str(error))
    return RedirectResponse(f"/rules/versions/{made.number}", HTTPStatus.SEE_OTHER)


def _version(desk: Desk, number: int) -> SettingsVersion:
    found = desk.versions.one(number)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such version")
    return found


def _page(request: Request, desk: Desk, chosen: SettingsVersion, problem: str = "") -> HTMLResponse:
    previous = desk.versions.one(chosen.number - 1)
    now, based_on, fixed = chosen.text, "", why_fixed(desk)
    if not fixed:
        said = file_of(desk).read()
        now, based_on = said.text, said.digest
    return desk.rendering.page(
        request,
        "rules_version.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        version=chosen,
        is_newest=desk.versions.numbers()[-1] == chosen.number,
        changed=difference(previous.text, chosen.text) if previous else [],
        has_other_rules=previous is not None and _rules(previous) != _rules(chosen),
        back=difference(now, chosen.text),
        based_on=based_on,
        fixed=fixed,
        problem=problem,
    )


def _rules(version: SettingsVersion) -> object:
    try:
        return site_in(version.text).rule
    except ConfigurationError:  # an older Hilum accepted it
        return version.number
