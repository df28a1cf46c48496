"""The page People: accounts and tokens, for administrators."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import HTMLResponse

from hilum.console.api.people import MOST_DAYS, OurPeopling
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.errors import HilumError
from hilum.people.accounts import identity_of
from hilum.people.passwords import SHORTEST
from hilum.people.roles import MAY, Permission, UserRole

endpoints = pages("People", place=13)

Name = Annotated[str, Form(max_length=64)]
Password = Annotated[str, Form(max_length=2048)]
TheRole = Annotated[UserRole, Form()]


@endpoints.get("/people", Permission.ADMINISTER, response_class=HTMLResponse)
def people(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    return _page(request, desk)


@endpoints.post("/people/add", Permission.ADMINISTER, response_class=HTMLResponse)
def add(
    request: Request,
    desk: OurDesk,
    peopling: OurPeopling,
    role: TheRole,
    name: Name = "",
    password: Password = "",
    again: Password = "",
) -> HTMLResponse:
    """Add an account."""

    def work() -> str:
        require_same(password, again)
        made = peopling.add(name, role, password)
        return f"{made.name} may sign in as {made.role}."

    return _done(request, desk, work)


@endpoints.post("/people/role", Permission.ADMINISTER, response_class=HTMLResponse)
def set_role(
    request: Request, desk: OurDesk, peopling: OurPeopling, role: TheRole, name: Name = ""
) -> HTMLResponse:
    """Give somebody else another role."""

    def work() -> str:
        peopling.set_role(name, role)
        return f"{name} is {role} now."

    return _done(request, desk, work)


@endpoints.post("/people/password", Permission.ADMINISTER, response_class=HTMLResponse)
def set_password(
    request: Request,
    desk: OurDesk,
    peopling: OurPeopling,
    name: Name = "",
    password: Password = "",
    again: Password = "",
) -> HTMLResponse:
    """Give somebody another password."""

    def work() -> str:
        require_same(password, again)
        peopling.set_password(name, password)
        return f"{name} has a new password, and is signed out everywhere."

    return _done(request, desk, work)


@endpoints.post("/people/disable", Permission.ADMINISTER, response_class=HTMLResponse)
def disable(
    request: Request,
    desk: OurDesk,
    peopling: OurPeopling,
    name: Name = "",
    disabled: Annotated[bool, Form()] = True,
) -> HTMLResponse:
    """Keep somebody else out, or let them in again."""

    def work() -> str:
        peopling.disable(name, disabled)
        return f"{name} {'is disabled and signed out' if disabled else 'may sign in again'}."

    return _done(request, desk, work)


@endpoints.post("/people/remove", Permission.ADMINISTER, response_class=HTMLResponse)
def remove(request: Request, desk: OurDesk, peopling: OurPeopling, name: Name = "") -> HTMLResponse:
    """Remove somebody else's account."""

    def work() -> str:
        peopling.remove(name)
        return f"{name} is removed and signed out."

    return _done(request, desk, work)


@endpoints.post("/people/token/add", Permission.ADMINISTER, response_class=HTMLResponse)
def add_token(
    request: Request,
    desk: OurDesk,
    peopling: OurPeopling,
    role: TheRole,
    name: Annotated[str, Form(min_length=1, max_length=64)],
    days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = 365,
) -> HTMLResponse:
    """Make a token; this page is the only one that shows it."""
    try:
        token = peopling.add_token(name, role, days)
    except HilumError as error:
        return _page(request, desk, problem=str(error))
    return _page(request, desk, said=f"This is the token of {name}. Keep it:", token=token)


@endpoints.post("/people/token/remove", Permission.ADMINISTER, response_class=HTMLResponse)
def remove_token(
    request: Request, desk: OurDesk, peopling: OurPeopling, name: Name = ""
) -> HTMLResponse:
    """Remove a token."""

    def work() -> str:
        peopling.remove_token(name)
        return f"The token of {name} is removed."

    return _done(request, desk, work)


def require_same(password: str, again: str) -> None:
    """Raise `HilumError` unless the same was typed twice."""
    if password != again:
        raise HilumError("the two passwords differ; nothing was changed")


def _done(request: Request, desk: Desk, work: Callable[[], str]) -> HTMLResponse:
    """The page after `work`, with what it says, or with why it was not done."""
    try:
        said = work()
    except HilumError as error:
        return _page(request, desk, problem=str(error))
    return _page(request, desk, said=said)


def _page(
    request: Request, desk: Desk, said: str = "", problem: str = "", token: str = ""
) -> HTMLResponse:
    return desk.rendering.page(
        request,
        "people.html",
        HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        accounts=desk.everybody.accounts.all(),
        tokens=desk.everybody.tokens.all(),
        identity_of=identity_of,
        roles={role: [p for p in Permission if p in MAY[role]] for role in UserRole},
        shortest=SHORTEST,
        said=said,
        problem=problem,
        token=token,
    )
