"""A study is fetched from an archive: who asks for it sees how far it is, and where it is then."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hilum.console.acting import RequestNumber, fetch_asked, fetch_from
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.why.question import LONGEST

endpoints = pages()


@endpoints.post("/fetches", Permission.ACT)
def fetch(
    desk: OurDesk,
    visitor: OurVisitor,
    archive: Annotated[str, Form(max_length=64)],
    study: Annotated[str, Form(max_length=LONGEST)] = "",
) -> RedirectResponse:
    """Ask the gateway for it, and show how far it is; no address names what was looked for."""
    number = fetch_from(desk, visitor, archive, study.strip())
    return RedirectResponse(f"/fetches/{number}", 303)


@endpoints.get("/fetches/{number}", Permission.ACT, response_class=HTMLResponse)
def progress(request: Request, desk: OurDesk, number: RequestNumber) -> HTMLResponse:
    """How far it is; the page asks again until it is answered."""
    asked = fetch_asked(desk, number)
    addresses = desk.records.identifiers.addresses([asked.study_uid])
    address = addresses.get(asked.study_uid, "")
    return desk.rendering.page(request, "fetch.html", asked=asked, address=address)
