"""Filters of the list of studies: saved under a name, for oneself or for everybody, and deleted."""

from typing import Annotated

from fastapi import Form, HTTPException
from fastapi.responses import RedirectResponse

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.lists import ListFilter
from hilum.console.mishaps import told_as
from hilum.people.filters import EVERYBODY
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor

FOR_ALL = "only administrators save or delete a filter for everybody"

endpoints = pages()

Query = Annotated[str, Form(max_length=300)]
Name = Annotated[str, Form(max_length=200)]


@endpoints.post("/studies/filters", Permission.LOOK)
def save_filter(
    desk: OurDesk,
    visitor: OurVisitor,
    query: Query = "",
    name: Name = "",
    everybody: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Save what is shown under a name, and go on showing it."""
    try:
        chosen = ListFilter.of(query)
    except ValueError as error:
        raise HTTPException(422, "this is no filter of the list of studies") from error
    with told_as(422):
        owner = _owner(visitor, everybody)
        saved = desk.everybody.filters.save(owner, name, chosen.saved)
    return RedirectResponse(f"/studies?{chosen.saved}&view={saved.number}", 303)


@endpoints.post("/studies/filters/{number}/remove", Permission.LOOK)
def remove_filter(
    desk: OurDesk,
    visitor: OurVisitor,
    number: str,
    everybody: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Delete a filter."""
    desk.everybody.filters.remove(_owner(visitor, everybody), number)
    return RedirectResponse("/studies", 303)


def _owner(visitor: Visitor, everybody: bool) -> str:
    if everybody and not visitor.may(Permission.CONFIGURE):
        raise HTTPException(403, FOR_ALL)
    return EVERYBODY if everybody else visitor.identity
