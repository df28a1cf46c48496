"""Signing in at the hospital's provider of OpenID Connect, and back."""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from anyio import to_thread
from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from hilum.audit import AuditOutcome
from hilum.config.console import Console
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import address_of_browser
from hilum.console.noting import note_login
from hilum.console.pages.login import begin, local_path, page
from hilum.errors import HilumError
from hilum.people.keys import new_key
from hilum.people.roles import Permission
from hilum.people.sessions import SignInWay

if TYPE_CHECKING:  # most consoles have no provider, and need not hold what talks to one
    from hilum.people.openid import Provider, Way

PATH = "/login/openid"
SECONDS = 600  # to sign in there
NO_ROLE = "You may not use Hilum: nobody has given you a role. Ask who sets Hilum up."

log = logging.getLogger(__name__)
endpoints = pages()


@endpoints.get(PATH, Permission.NONE)
async def leave(request: Request, desk: OurDesk, next: str = "/") -> Response:
    """Lead the browser to the provider; a cookie remembers which browser, and where it goes on."""
    provider, key = _provider(desk), new_key()
    try:
        way = _way(request, desk, key)
        address = await to_thread.run_sync(provider.address, way, limiter=desk.abroad)
    except HilumError as error:
        return _problem(request, desk, next, error)
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    console = desk.site.console
    answer.set_cookie(
        _cookie_name(console),
        f"{key}.{quote(local_path(next), safe='')}",
        max_age=SECONDS,
        httponly=True,
        secure=console.is_encrypted,
        samesite="lax",
    )
    return answer


@endpoints.get(f"{PATH}/callback", Permission.NONE)
async def come_back(request: Request, desk: OurDesk) -> Response:
    """Where the provider leads the browser back to, with a code that says who came."""
    provider, console = _provider(desk), desk.site.console
    key, _, next = request.cookies.get(_cookie_name(console), "").partition(".")
    next = unquote(next)
    try:
        way = _way(request, desk, key)
        answer = dict(request.query_params)
        found = await to_thread.run_sync(provider.identified, way, answer, limiter=desk.abroad)
    except HilumError as error:
        return _problem(request, desk, next, error)
    if found.role is None:
        log.warning("somebody whom the provider knows has no role here")
        denied = (AuditOutcome.DENIED, NO_ROLE, "", found.identity)
        await note_login(request, desk, found.name, *denied)
        return page(request, desk, next, NO_ROLE, HTTPStatus.FORBIDDEN)
    log.info("somebody signed in at the provider, from %s", address_of_browser(request))
    done = await begin(
        request, desk, SignInWay.OPENID, found.name, found.role, next, found.identity
    )
    done.delete_cookie(_cookie_name(console), secure=console.is_encrypted)
    return done


def _provider(desk: Desk) -> "Provider":
    from hilum.people.openid import Provider

    settings = desk.site.console.openid
    if settings is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no provider is set in console.openid")
    return Provider(settings)


def _way(request: Request, desk: Desk, key: str) -> "Way":
    from hilum.people.openid import Way

    scheme = "https" if desk.site.console.is_encrypted else "http"
    return Way(key, f"{scheme}://{request.headers['host']}{PATH}/callback")


def _cookie_name(console: Console) -> str:
    return "__Host-hilum-way" if console.is_encrypted else f"hilum-way-{console.port}"


def _problem(request: Request, desk: Desk, next: str, error: HilumError) -> Response:
    text = str(error)
    problem = f"{text[:1].upper()}{text[1:]}."
    return page(request, desk, next, problem, HTTPStatus.BAD_GATEWAY)
