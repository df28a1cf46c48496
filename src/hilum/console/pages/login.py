"""The page that people sign in at, the link that signs in once, and signing out."""

import logging
import math
import re
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from anyio import fail_after, to_thread
from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hilum.audit import AuditOutcome
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor, address_of_browser, cookie_name, signed_in
from hilum.console.noting import note_login, note_logout
from hilum.console.protection import is_from_this_machine
from hilum.errors import HilumError
from hilum.people.everybody import Pause
from hilum.people.roles import Permission, UserRole
from hilum.people.sessions import SignInWay
from hilum.wording import counted

LONGEST_WAIT = 10.0  # seconds for a turn to check a password
WRONG = "Name or password is wrong."
MANY = "Too many wrong passwords."
BUSY = "Too many people sign in at this moment. Try again."
NO_LINK = "This link was used, or is too old. Type `hilum console` for another one."
ELSEWHERE = "Such a link works in a browser of the machine that Hilum runs on, and only there."
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")

log = logging.getLogger(__name__)
endpoints = pages()


@endpoints.get("/login", Permission.NONE, response_class=HTMLResponse)
async def ask(request: Request, desk: OurDesk, next: str = "/") -> Response:
    """The page; whoever has signed in goes on."""
    if await signed_in(request):
        return _go_to(next)
    return page(request, desk, next)


@endpoints.post("/login", Permission.NONE)
async def sign_in(
    request: Request,
    desk: OurDesk,
    name: Annotated[str, Form(max_length=256)] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in with a password."""
    address = address_of_browser(request)
    try:
        with fail_after(LONGEST_WAIT):
            found = await to_thread.run_sync(
                desk.everybody.sign_in,
                *(name, password, address),
                abandon_on_cancel=True,
                limiter=desk.hashing,
            )
    except TimeoutError:
        return page(request, desk, next, BUSY, HTTPStatus.SERVICE_UNAVAILABLE)
    except HilumError as error:
        return page(request, desk, next, f"{error}.", HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(found, Pause):
        if found.is_first:  # the rest could fill the disk
            await _note_failure(request, desk, name, AuditOutcome.DENIED, MANY)
        return _pause(request, desk, next, found.seconds)
    if found is None:
        log.warning("a wrong name or password came from %s", address)
        await _note_failure(request, desk, name, AuditOutcome.FAILED, WRONG)
        return page(request, desk, next, WRONG, HTTPStatus.UNAUTHORIZED)
    log.info("somebody signed in from %s", address)
    return await begin(request, desk, SignInWay.PASSWORD, found.name, found.role, next)


@endpoints.get("/enter", Permission.NONE, response_class=HTMLResponse)
def show_entrance(request: Request, desk: OurDesk) -> Response:
    """Where a link of `hilum console` leads; a script sends the key that stands behind its `#`."""
    return desk.rendering.page(request, "enter.html", problem="")


@endpoints.post("/enter", Permission.NONE)
async def enter(request: Request, desk: OurDesk, key: Annotated[str, Form()] = "") -> Response:
    """Sign in with the key of a link."""
    if not is_from_this_machine(address_of_browser(request), request.headers):
        return _no_entrance(request, desk, ELSEWHERE)
    name = await to_thread.run_sync(desk.everybody.open_link, key, limiter=desk.lookups)
    if not isinstance(name, str):
        if name is None or name.is_first:  # the rest could fill the disk
            await note_login(request, desk, "unknown", AuditOutcome.FAILED, NO_LINK)
        return _no_entrance(request, desk, NO_LINK)
    log.info("somebody signed in with a link")
    role, identity = UserRole.ADMINISTRATOR, f"system user {name}"
    return await begin(request, desk, SignInWay.LINK, name, role, "/", identity)


@endpoints.post("/logout", Permission.LOOK)
async def sign_out(request: Request, desk: OurDesk, visitor: OurVisitor) -> Response:
    """End the session."""
    await note_logout(desk, visitor)
    await _end(request, desk)
    answer = _go_to("/login")
    answer.delete_cookie(cookie_name(desk.site.console), secure=desk.site.console.is_encrypted)
    return answer


async def begin(
    request: Request,
    desk: Desk,
    way: SignInWay,
    name: str,
    role: UserRole,
    next: str,
    identity: str = "",
) -> Response:
    """Begin a session, with a new key, and go on to `next`."""
    await _end(request, desk)
    await note_login(request, desk, name, AuditOutcome.DONE, way, role, identity)
    begun = desk.everybody.sessions.begin
    key = await to_thread.run_sync(begun, way, name, role, identity, limiter=desk.lookups)
    answer = _go_to(next)
    console = desk.site.console
    answer.set_cookie(
        cookie_name(console), key, httponly=True, secure=console.is_encrypted, samesite="lax"
    )
    return answer


def local_path(text: str) -> str:
    """`text` if it is a path of ours, else "/": nobody is led to another site."""
    return text if _LOCAL.fullmatch(text) else "/"


async def _note_failure(
    request: Request, desk: Desk, name: str, outcome: AuditOutcome, reason: str
) -> None:
    """Note whose account it was about. A name that is none may be a password, and stays out."""
    found = await to_thread.run_sync(desk.everybody.accounts.get, name, limiter=desk.lookups)
    await note_login(request, desk, found.name if found else "unknown", outcome, reason)


async def _end(request: Request, desk: Desk) -> None:
    if key := request.cookies.get(cookie_name(desk.site.console)):
        await to_thread.run_sync(desk.everybody.sessions.end, key, limiter=desk.lookups)


def _go_to(path: str) -> RedirectResponse:
    return RedirectResponse(local_path(path), HTTPStatus.SEE_OTHER)


def page(
    request: Request,
    desk: Desk,
    next: str,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """The page to sign in at, with what went wrong."""
    openid = desk.site.console.openid
    provider = urlsplit(openid.issuer).hostname if openid else None
    return desk.rendering.page(
        request,
        "login.html",
        status,
        next=local_path(next),
        problem=problem,
        provider=provider,
    )


def _pause(request: Request, desk: Desk, next: str, seconds: float) -> HTMLResponse:
    left = math.ceil(seconds)
    problem = f"{MANY} Try again in {counted(left, 'second')}."
    shown = page(request, desk, next, problem, HTTPStatus.TOO_MANY_REQUESTS)
    shown.headers["Retry-After"] = str(left)
    return shown


def _no_entrance(request: Request, desk: Desk, problem: str) -> HTMLResponse:
    return desk.rendering.page(request, "enter.html", HTTPStatus.FORBIDDEN, problem=problem)
