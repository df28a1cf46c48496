"""Accounts of people, and tokens of programs."""

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.console.peopling import Peopling
from hilum.people.accounts import Person
from hilum.people.passwords import LONGEST
from hilum.people.roles import Permission, UserRole
from hilum.people.tokens import Token
from hilum.records.views import as_json

MOST_DAYS = 3660  # that a token may last

endpoints = resource()


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPerson(_Body):
    """An account to be added."""

    name: str = Field(max_length=64)
    role: UserRole
    password: str = Field(max_length=LONGEST)


class NewRole(_Body):
    """Another role."""

    role: UserRole


class NewPassword(_Body):
    """Another password."""

    password: str = Field(max_length=LONGEST)


class Disabling(_Body):
    """Whether somebody is kept out."""

    disabled: bool


class NewToken(_Body):
    """A token to be made, which lasts so many `days`."""

    name: str = Field(min_length=1, max_length=64)
    role: UserRole
    days: int = Field(365, ge=1, le=MOST_DAYS)


def _peopling(desk: OurDesk, visitor: OurVisitor) -> Peopling:
    return Peopling(desk, visitor)


OurPeopling = Annotated[Peopling, Depends(_peopling)]


@endpoints.get(f"{V1}/people", Permission.ADMINISTER, responses=answers(list[Person]))
def list_people(desk: OurDesk) -> Any:
    """The accounts."""
    return as_json(desk.everybody.accounts.all())


@endpoints.post(
    f"{V1}/people", Permission.ADMINISTER, responses=answers(Person, 201), status_code=201
)
def add_person(peopling: OurPeopling, new: NewPerson) -> Any:
    """Add an account."""
    with told_as(409):
        return as_json(peopling.add(new.name, new.role, new.password))


@endpoints.post(f"{V1}/people/{{name}}/role", Permission.ADMINISTER, status_code=204)
def set_role(peopling: OurPeopling, name: str, new: NewRole) -> None:
    """Give somebody else another role."""
    with told_as(409):
        peopling.set_role(name, new.role)


@endpoints.post(f"{V1}/people/{{name}}/disabled", Permission.ADMINISTER, status_code=204)
def set_disabled(peopling: OurPeopling, name: str, wanted: Disabling) -> None:
    """Keep somebody else out, or let them in again."""
    with told_as(409):
        peopling.disable(name, wanted.disabled)


@endpoints.post(f"{V1}/people/{{name}}/password", Permission.ADMINISTER, status_code=204)
def set_password(peopling: OurPeopling, name: str, new: NewPassword) -> None:
    """Give somebody another password, and sign them out everywhere."""
    with told_as(409):
        peopling.set_password(name, new.password)


@endpoints.delete(f"{V1}/people/{{name}}", Permission.ADMINISTER, status_code=204)
def remove_person(peopling: OurPeopling, name: str) -> None:
    """Remove somebody else's account."""
    with told_as(409):
        peopling.remove(name)


@endpoints.get(f"{V1}/tokens", Permission.ADMINISTER, responses=answers(list[Token]))
def list_tokens(desk: OurDesk) -> Any:
    """The tokens, without what they are."""
    return as_json(desk.everybody.tokens.all())


@endpoints.post(f"{V1}/tokens", Permission.ADMINISTER, status_code=201)
def add_token(peopling: OurPeopling, new: NewToken) -> dict[str, str]:
    """Make a token; this answer is the only place where it stands."""
    with told_as(409):
        return {"token": peopling.add_token(new.name, new.role, new.days)}


@endpoints.delete(f"{V1}/tokens/{{name}}", Permission.ADMINISTER, status_code=204)
def remove_token(peopling: OurPeopling, name: str) -> None:
    """Remove a token; it opens nothing from then on."""
    with told_as(409):
        peopling.remove_token(name)
