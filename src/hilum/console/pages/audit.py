"""The page Audit: who did what, whether that is whole, and who looked at a patient.

A patient ID or accession number never becomes part of an address: it is posted.
"""

from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

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
from hilum.records import views

endpoints = pages("Audit", place=12)

DAY = r"^(\d{4}-\d\d-\d\d)?$"
Text = Annotated[str, Form(max_length=256)]


class ChosenEntries(BaseModel):
    """Which entries are shown. `study` is the address or UID of a study."""

    person: str = Field("", max_length=256)
    act: str = Field("", max_length=64)
    study: str = Field("", max_length=256)
    since: str = Field("", pattern=DAY)
    until: str = Field("", pattern=DAY)
    page: int = Field(1, ge=1, le=1_000_000_000)

    @property
    def query(self) -> str:
        """That of the address which shows them."""
        return urlencode(self.model_dump(exclude_defaults=True))


class AskedEntries(ChosenEntries):
    """The same as it is typed: `study` may be an accession number, too."""

    patient_id: str = Field("", max_length=256)


@endpoints.get("/audit", Permission.ADMINISTER, response_class=HTMLResponse)
def audit(
    request: Request, desk: OurDesk, visitor: OurVisitor, chosen: Annotated[ChosenEntries, Query()]
) -> HTMLResponse:
    """The entries that are wanted, the latest first."""
    return _page(request, desk, visitor, AskedEntries(**chosen.model_dump()))


@endpoints.post("/audit", Permission.ADMINISTER, response_class=HTMLResponse)
def find_entries(
    request: Request, desk: OurDesk, visitor: OurVisitor, asked: Annotated[AskedEntries, Form()]
) -> Response:
    """The same for one patient or order; what names none has an address of its own."""
    asked = asked.model_copy(update={"study": asked.study.strip()})
    if asked.patient_id.strip() or not _is_nameless(desk, asked.study):
        return _page(request, desk, visitor, asked)
    chosen = ChosenEntries(**asked.model_dump(exclude={"patient_id"}))
    return RedirectResponse(f"/audit?{chosen.query}".removesuffix("?"), 303)


@endpoints.post("/audit/verify", Permission.ADMINISTER, response_class=HTMLResponse)
def verify(request: Request, desk: OurDesk, visitor: OurVisitor, head: Text = "") -> HTMLResponse:
    """Whether the trail is as it was written, and holds `head`, if one is given."""
    with told_as(404):
        report = desk.auditor.store.verify(ChainHead.parse(head) if head.strip() else None)
    return _page(request, desk, visitor, AskedEntries(), report)


def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    asked: AskedEntries,
    report: ChainReport | None = None,
) -> HTMLResponse:
    with told_as(404):
        shown = read_audit(desk.auditor, visitor, _wanted(desk, asked), asked.page)
    return desk.rendering.page(
        request,
        "audit.html",
        shown=shown,
        asked=asked,
        is_all=asked == AskedEntries(page=asked.page),
        acts=list(AuditedAct),
        report=report,
    )


def _is_nameless(desk: Desk, study: str) -> bool:
    """Whether what was typed as a study is its UID or address, and so names no patient."""
    records = desk.records
    return not study or records.events.has_study(study) or bool(records.identifiers.study_at(study))


def _wanted(desk: Desk, asked: AskedEntries) -> AuditFilter:
    studies: tuple[str, ...] = ()
    if asked.study:  # the trail has also studies that no records have
        studies = tuple(views.studies_named(desk.records, asked.study)) or (asked.study,)
    try:
        return AuditFilter(
            person=asked.person.strip(),
            act=AuditedAct(asked.act) if asked.act else None,
            studies=studies,
            patient_id=asked.patient_id.strip(),
            since=_begin(asked.since),
            until=_begin(asked.until, 1),
        )
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, "there is no such act, or no such day") from error


def _begin(day: str, later: int = 0) -> float | None:
    """When a day begins here, or one some days later; in s since 1970."""
    if not day:
        return None
    chosen = date.fromisoformat(day) + timedelta(days=later)
    return datetime.combine(chosen, time()).timestamp()
