"""Who asks, and whether they may: asked before anything of a request is read but its head.

A page or resource gets its guard with its route, so that none can be without. A browser is known
by its cookie, a program by its Bearer token (RFC 6750). Whoever changes something by cookie also
has to show the token of their session, in the header `X-Hilum-Token` or the form field
`form_token`: a page of a stranger has the cookie sent along, but does not know that.
"""

import hmac
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute

from hilum.audit import AuditedAct, AuditedObject, AuditOutcome, ObjectType
from hilum.config.console import Console
from hilum.console.desk import Desk
from hilum.console.endpoints import PERMISSION, STREAMED
from hilum.console.multipart import MULTIPART, MultipartForm
from hilum.console.protection import SAFE
from hilum.errors import HilumError
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor

TOKEN_HEADER, TOKEN_FIELD = "X-Hilum-Token", "form_token"
REFRESH_HEADER = "X-Hilum-Refresh"  # a page renews itself, and nobody needs to sit before it
FORMS = ("application/x-www-form-urlencoded", MULTIPART)

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Barred:
    """Why somebody is not let in: HTTP status, and a sentence for them."""

    status: HTTPStatus
    text: str


UNKNOWN = Barred(HTTPStatus.UNAUTHORIZED, "sign in, or show a token that has not ended")
OUTDATED = Barred(
    HTTPStatus.FORBIDDEN, "the page is from before you signed in; load it again, and repeat it"
)


class GuardedRoute(APIRoute):
    """A route that asks for the permission in its description before it answers."""

    def get_route_handler(self) -> Answer:
        """Ask first, then answer as usual."""
        answer = super().get_route_handler()
        described = self.openapi_extra or {}
        permission = Permission(described[PERMISSION])
        bar = _bar_of_api if self.include_in_schema else _bar_of_page

        async def guarded(request: Request) -> Response:
            request.state.form = MultipartForm(request) if STREAMED in described else None
            if permission is not Permission.NONE:
                found = await _visitor(request, permission)
                if isinstance(found, Barred):
                    return await bar(request, found)
                request.state.visitor = found
            return await answer(request)

        return guarded


def _visitor_of(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


OurVisitor = Annotated[Visitor, Depends(_visitor_of)]


def cookie_name(console: Console) -> str:
    """The name of the cookie: browsers take one that begins so only over TLS, from this host.

    Without TLS it has the port in it, since the consoles of one machine share their cookies.
    """
    return "__Host-hilum" if console.is_encrypted else f"hilum-{console.port}"


def address_of_browser(request: Request) -> str:
    """Where a request comes from, "" if that is not known."""
    return request.client.host if request.client else ""


async def signed_in(request: Request, is_use: bool = True) -> Visitor | None:
    """Who has signed in with this browser; `is_use` says that a person asks."""
    desk: Desk = request.app.state.desk
    key = request.cookies.get(cookie_name(desk.site.console))
    if not key:
        return None
    return await to_thread.run_sync(
        desk.everybody.sessions.visitor, key, is_use, limiter=desk.lookups
    )


async def still_admitted(request: Request, permission: Permission) -> bool:
    """Whether whoever has asked may still have the answer, which goes on."""
    return not isinstance(await _visitor(request, permission, is_use=False), Barred)


async def _visitor(
    request: Request, permission: Permission, is_use: bool = True
) -> Visitor | Barred:
    """Who asks, if they may; `is_use`: a person asks, unless the request says otherwise."""
    try:
        token = _bearer(request)
        visitor = await (
            _program(request, token) if token else signed_in(request, is_use and _is_use(request))
        )
    except HilumError as error:
        return Barred(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    if visitor is None:
        return UNKNOWN
    visitor = replace(visitor, address=address_of_browser(request))
    if not visitor.may(permission):
        denied = partial(_note_denied, request, visitor, permission)
        await to_thread.run_sync(denied, limiter=request.app.state.desk.lookups)
        return Barred(HTTPStatus.FORBIDDEN, _lacks(visitor, permission))
    if not token and request.method not in SAFE:
        shown = await _form_token(request)
        if not hmac.compare_digest(shown.encode(), visitor.form_token.encode()):
            return OUTDATED
    return visitor


def _note_denied(request: Request, visitor: Visitor, permission: Permission) -> None:
    """Have it on record that somebody wanted what their role does not allow."""
    desk: Desk = request.app.state.desk
    wanted = AuditedObject(ObjectType.NOTHING, request.url.path)
    reason = f"needs the permission to {permission}"
    desk.auditor.note(AuditedAct.OPENED, visitor, wanted, "", reason, AuditOutcome.DENIED)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _program(request: Request, token: str) -> Awaitable[Visitor | None]:
    desk: Desk = request.app.state.desk
    return to_thread.run_sync(desk.everybody.tokens.visitor, token, limiter=desk.lookups)


def _is_use(request: Request) -> bool:
    is_stream = request.headers.get("accept") == "text/event-stream"
    return not is_stream and REFRESH_HEADER not in request.headers


async def _form_token(request: Request) -> str:
    if (shown := request.headers.get(TOKEN_HEADER)) is not None:
        return shown
    kind = request.headers.get("content-type", "").partition(";")[0]
    if request.state.form is not None:  # its first field, and nothing else is read
        is_form = kind == MULTIPART
        return await request.state.form.first_value(TOKEN_FIELD) if is_form else ""
    if kind in FORMS:
        return str((await request.form()).get(TOKEN_FIELD, ""))
    return ""


def _lacks(visitor: Visitor, permission: Permission) -> str:
    what = {
        Permission.SEE_PATIENTS: "see patients",
        Permission.ASSESS: "judge results",
        Permission.ACT: "act on studies",
        Permission.CONFIGURE: "set Hilum up",
        Permission.ADMINISTER: "manage people",
    }[permission]
    return f"{visitor.name} is {visitor.role} here, and as such may not {what}"


async def _bar_of_api(_request: Request, barred: Barred) -> Response:
    is_unknown = barred.status is HTTPStatus.UNAUTHORIZED
    headers = {"WWW-Authenticate": "Bearer"} if is_unknown else None
    return JSONResponse({"detail": barred.text}, barred.status, headers)


async def _bar_of_page(request: Request, barred: Barred) -> Response:
    desk: Desk = request.app.state.desk
    if barred.status is not HTTPStatus.UNAUTHORIZED:
        return desk.rendering.page(request, "barred.html", barred.status, text=barred.text)
    if "hx-request" in request.headers:  # a part of a page: the whole of it has to go
        return Response(status_code=barred.status, headers={"HX-Refresh": "true"})
    wanted = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    return RedirectResponse(f"/login?next={quote(wanted + query, safe='/')}", HTTPStatus.SEE_OTHER)
