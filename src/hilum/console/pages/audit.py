"""The page Audit: who did what, whether that is whole, and who looked at a patient.

A patient ID never becomes part of an address: it is asked for by a form that is posted.
"""

from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from hilum.audit import AuditedAct
from hilum.audit.chain import ChainReport
from hilum.audit.entry import ChainHead
from hilum.audit.store import AuditFilter
from hilum.audit.views import read_audit
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor

endpoints = pages("Audit", place=11)

Text = Annotated[str, Query(max_length=256)]
FormText = Annotated[str, Form(max_length=256)]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d)?$")]
FormDay = Annotated[str, Form(pattern=r"^(\d{4}-\d\d-\d\d)?$")]
Number = Annotated[int, Query(ge=1, le=1_000_000_000)]
FormNumber = Annotated[int, Form(ge=1, le=1_000_000_000)]


@endpoints.get("/audit", Permission.ADMINISTER, response_class=HTMLResponse)
def audit(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    person: Text = "",
    act: Text = "",
    study: Text = "",
    since: Day = "",
    until: Day = "",
    page: Number = 1,
) -> HTMLResponse:
    """The entries that are wanted, the latest first."""
    wanted = _wanted(person, act, study, since, until)
    return _page(request, desk, visitor, wanted, page)


@endpoints.post("/audit", Permission.ADMINISTER, response_class=HTMLResponse)
def audit_of_patient(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    patient_id: FormText = "",
    person: FormText = "",
    act: FormText = "",
    study: FormText = "",
    since: FormDay = "",
    until: FormDay = "",
    page: FormNumber = 1,
) -> HTMLResponse:
    """The same for one patient."""
    wanted = _wanted(person, act, study, since, until, patient_id)
    return _page(request, desk, visitor, wanted, page)


@endpoints.post("/audit/verify", Permission.ADMINISTER, response_class=HTMLResponse)
def verify(
    request: Request, desk: OurDesk, visitor: OurVisitor, head: FormText = ""
) -> HTMLResponse:
    """Whether the trail is as it was written, and holds `head`, if one is given."""
    with told_as(404):
        report = desk.auditor.store.verify(ChainHead.parse(head) if head.strip() else None)
    return _page(request, desk, visitor, AuditFilter(), 1, report)


def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    wanted: AuditFilter,
    page: int,
    report: ChainReport | None = None,
) -> HTMLResponse:
    with told_as(404):
        shown = read_audit(desk.auditor, visitor, wanted, page)
    return desk.rendering.page(
        request,
        "audit.html",
        shown=shown,
        wanted=wanted,
        since=_day(wanted.since),
        until=_day(wanted.until, -1),
        acts=list(AuditedAct),
        report=report,
    )


def _wanted(
    person: str, act: str, study: str, since: str, until: str, patient_id: str = ""
) -> AuditFilter:
    try:
        return AuditFilter(
            person=person.strip(),
            act=AuditedAct(act) if act else None,
            study_uid=study.strip(),
            patient_id=patient_id.strip(),
            since=_begin(since),
            until=_begin(until, 1),
        )
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, "there is no such act, or no such day") from error


def _begin(day: str, later: int = 0) -> float | None:
    """When a day begins here, or one some days later; in s since 1970."""
    if not day:
        return None
    chosen = date.fromisoformat(day) + timedelta(days=later)
    return datetime.combine(chosen, time()).timestamp()


def _day(at: float | None, later: int = 0) -> str:
    if at is None:
        return ""
    return str(datetime.fromtimestamp(at).date() + timedelta(days=later))
