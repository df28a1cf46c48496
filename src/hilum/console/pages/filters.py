"""Filters of the list of studies: saved under a name, for oneself or for everybody, and deleted."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

from fastapi import Form, HTTPException
from fastapi.responses import RedirectResponse

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.lists import ListFilter
from hilum.console.mishaps import told_as
from hilum.console.noting import on_record
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
    """Save what is shown under a name, and go on showing it.

    What is for everybody is on record before.
    """
    try:
        chosen = ListFilter.of(query)
    except ValueError as error:
        raise HTTPException(422, "this is no filter of the list of studies") from error
    with told_as(422):
        owner = _owner(visitor, everybody)
        with _on_record(desk, visitor, owner, name, f"saved: {chosen.saved or 'all studies'}"):
            saved = desk.everybody.filters.save(owner, name, chosen.saved)
    return RedirectResponse(f"/studies?{chosen.saved}&view={saved.number}", 303)


@endpoints.post("/studies/filters/{number}/remove", Permission.LOOK)
def remove_filter(
    desk: OurDesk,
    visitor: OurVisitor,
    number: str,
    everybody: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Delete a filter. What is for everybody is on record before."""
    filters, owner = desk.everybody.filters, _owner(visitor, everybody)
    for one in filters.for_person(owner):
        if (one.owner, one.number) == (owner, number):
            with _on_record(desk, visitor, owner, one.name, f"deleted; it was: {one.query}"):
                filters.remove(owner, number)
    return RedirectResponse("/studies", 303)


def _on_record(
    desk: Desk, visitor: Visitor, owner: str, name: str, what: str
) -> AbstractContextManager[None]:
    """What a person does with a filter of their own concerns nobody else."""
    if owner != EVERYBODY:
        return nullcontext()
    about = AuditedObject(ObjectType.FILTER, " ".join(name.split()))
    return on_record(desk, visitor, AuditedAct.SETTINGS_CHANGED, about, what)


def _owner(visitor: Visitor, everybody: bool) -> str:
    if everybody and not visitor.may(Permission.CONFIGURE):
        raise HTTPException(403, FOR_ALL)
    return EVERYBODY if everybody else visitor.identity
