"""The page on which a person says whose the images of a study are."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from hilum.console.choosing import choose_at, seen_versions
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.looking import study_at
from hilum.console.pages.study import ANSWERED_IN
from hilum.console.refusing import RefusedForm, TypedForm
from hilum.errors import AuditUnavailable
from hilum.patients.choosing import what_choosing_does
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor
from hilum.records.states import RequestAction

endpoints = pages()


@endpoints.get("/studies/{address}/patients", Permission.ACT, response_class=HTMLResponse)
def patients(request: Request, desk: OurDesk, visitor: OurVisitor, address: str) -> HTMLResponse:
    """The page."""
    return _page(request, desk, visitor, address)


@endpoints.post("/studies/{address}/patients", Permission.ACT)
def choose(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    address: str,
    patient: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Ask the gateway to take the images of one patient, and show what it says."""
    try:
        number = choose_at(desk, visitor, address, patient, ANSWERED_IN).number
    except (HTTPException, AuditUnavailable) as error:
        refused = RefusedForm.of(TypedForm(RequestAction.DECIDE), error)
        return _page(request, desk, visitor, address, refused)
    return RedirectResponse(f"/studies/{address}?asked={number}", 303)


def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    address: str,
    refused: RefusedForm | None = None,
) -> HTMLResponse:
    study = study_at(desk, address)
    versions = seen_versions(desk, visitor, study)
    return desk.rendering.page(
        request,
        "patients.html",
        refused.status if refused else 200,
        refused=refused,
        address=address,
        study=study,
        versions=versions,
        has_issuer=any(version.stated.issuer for version in versions),
        does=what_choosing_does(desk.records, study.study_uid, versions),
    )
