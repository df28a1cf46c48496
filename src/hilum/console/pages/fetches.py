"""Studies are fetched from an archive: who asks for them sees how far each is."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hilum.asking import MOST_AT_ONCE, studies_typed
from hilum.console.acting import RequestNumber, fetch_asked, fetch_from, fetched_from
from hilum.console.desk import Desk, FetchedStudy, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.records.models.requests import Request as Asked
from hilum.why.question import LONGEST

endpoints = pages("Fetch", place=8)

Typed = Annotated[str, Form(max_length=MOST_AT_ONCE * (LONGEST + 2))]


class _Line(NamedTuple):
    """One study of a list; `address` is where it is once something of it has come."""

    wanted: str
    asked: Asked
    address: str


@endpoints.get("/fetches", Permission.ACT, response_class=HTMLResponse)
def form(request: Request, desk: OurDesk) -> HTMLResponse:
    """Which studies are wanted, and of whom."""
    return desk.rendering.page(
        request, "fetches.html", archives=fetched_from(desk), most=MOST_AT_ONCE
    )


@endpoints.post("/fetches", Permission.ACT)
def fetch(
    desk: OurDesk,
    visitor: OurVisitor,
    archive: Annotated[str, Form(max_length=64)] = "",
    study: Typed = "",
) -> RedirectResponse:
    """Ask the gateway for each, and show how far it is; no address names what was looked for."""
    with told_as(422):
        wanted = studies_typed(study)
    asked = tuple(FetchedStudy(one, fetch_from(desk, visitor, archive, one)) for one in wanted)
    if len(asked) == 1:
        return RedirectResponse(f"/fetches/{asked[0].request}", 303)
    return RedirectResponse(f"/fetches/lists/{desk.fetches.keep(visitor.identity, asked)}", 303)


@endpoints.get("/fetches/{number}", Permission.ACT, response_class=HTMLResponse)
def progress(request: Request, desk: OurDesk, number: RequestNumber) -> HTMLResponse:
    """How far it is; the page asks again until it is answered."""
    asked = fetch_asked(desk, number)
    address = _addresses(desk, [asked]).get(asked.study_uid, "")
    return desk.rendering.page(request, "fetch.html", asked=asked, address=address)


@endpoints.get("/fetches/lists/{number}", Permission.ACT, response_class=HTMLResponse)
def progress_of_list(
    request: Request, desk: OurDesk, visitor: OurVisitor, number: str
) -> HTMLResponse:
    """How far each study of a list is; the page asks again until all are answered."""
    kept = desk.fetches.of(visitor.identity, number)
    if kept is None:
        raise HTTPException(404, "this list is over: Studies shows what was fetched")
    asked = desk.records.requests.those(one.request for one in kept)
    addresses = _addresses(desk, asked.values())
    lines = [
        _Line(wanted, asked[number], addresses.get(asked[number].study_uid, ""))
        for wanted, number in kept
    ]
    return desk.rendering.page(
        request,
        "fetch_list.html",
        lines=lines,
        archive=lines[0].asked.wish.archive,
        ended=sum(line.asked.answer is not None for line in lines),
    )


def _addresses(desk: Desk, asked: Iterable[Asked]) -> dict[str, str]:
    return desk.records.identifiers.addresses({one.study_uid for one in asked})
