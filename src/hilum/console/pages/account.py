"""The page of whoever is signed in: who they are here, and another password."""

from http import HTTPStatus
from typing import Annotated

from anyio import fail_after, to_thread
from fastapi import Form, Request
from fastapi.responses import HTMLResponse, Response

from hilum.console.api.people import OurPeopling
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor, address_of_browser
from hilum.console.pages.login import BUSY, LONGEST_WAIT, MANY, begin
from hilum.console.pages.people import require_same
from hilum.errors import HilumError
from hilum.people.accounts import identity_of
from hilum.people.everybody import Pause
from hilum.people.passwords import SHORTEST
from hilum.people.roles import MAY, Permission
from hilum.people.sessions import SignInWay
from hilum.people.visitor import Visitor

WRONG = "The password that you have now is another one."
NO_ACCOUNT = "You have no password here: you signed in in another way."

endpoints = pages()

Password = Annotated[str, Form(max_length=2048)]


@endpoints.get("/account", Permission.LOOK, response_class=HTMLResponse)
def account(request: Request, desk: OurDesk, visitor: OurVisitor) -> HTMLResponse:
    """The page."""
    return _page(request, desk, visitor)


@endpoints.post("/account/password", Permission.LOOK)
async def set_password(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    peopling: OurPeopling,
    present: Password = "",
    password: Password = "",
    again: Password = "",
) -> Response:
    """Set another password, sign out everywhere else, and go on with a new session."""

    def work() -> str:
        require_same(password, again)
        found = desk.everybody.sign_in(visitor.name, present, address_of_browser(request))
        if found is None or isinstance(found, Pause):
            return WRONG if found is None else MANY
        peopling.set_password(visitor.name, password)
        return ""

    problem = NO_ACCOUNT
    if _has_account(visitor):
        try:
            with fail_after(LONGEST_WAIT):
                problem = await to_thread.run_sync(work, limiter=desk.hashing)
        except TimeoutError:
            problem = BUSY
        except HilumError as error:
            problem = str(error)
    if problem:
        return _page(request, desk, visitor, problem)
    way = SignInWay.PASSWORD
    return await begin(request, desk, way, visitor.name, visitor.role, "/account")


def _has_account(visitor: Visitor) -> bool:
    return visitor.identity == identity_of(visitor.name)


def _page(request: Request, desk: Desk, visitor: Visitor, problem: str = "") -> HTMLResponse:
    return desk.rendering.page(
        request,
        "account.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        has_account=_has_account(visitor),
        may=[p for p in Permission if p in MAY[visitor.role] and p is not Permission.NONE],
        shortest=SHORTEST,
        problem=problem,
    )
