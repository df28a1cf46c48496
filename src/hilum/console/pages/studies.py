"""The page of all studies: one line each, searched, sorted, a page at a time."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated

from fastapi import Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.console.acting import WantedAct, ask_for
from hilum.console.acts import BULK, OF_STUDY, acts_on, called
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.lists import ListAddress, ListFilter
from hilum.console.mishaps import told_as
from hilum.people.filters import SavedFilter
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.listed import ListedStudy
from hilum.records.search import StudyQuery
from hilum.records.states import AssessmentStanding, RequestAction, StudyOrder, StudyState
from hilum.wording import counted

PAGE = 50  # studies
MOST_AT_ONCE = 200  # studies of one act
LONGEST = 300  # characters of what is looked for
OURS = re.compile(r"/(?:studies|finds/[\w-]+)(?:\?[\w=&%+-]*)?")  # where an act goes back to

endpoints = pages("Studies", place=2)

Text = Annotated[str, Form(max_length=LONGEST)]


Chosen = Annotated[ListFilter, Query()]


@endpoints.get("/studies", Permission.LOOK, response_class=HTMLResponse)
def studies(request: Request, desk: OurDesk, visitor: OurVisitor, chosen: Chosen) -> HTMLResponse:
    """The list, by what names nobody."""
    if visitor.may(Permission.SEE_PATIENTS):
        desk.auditor.note(AuditedAct.OPENED, visitor, AuditedObject(ObjectType.SEARCH, "studies"))
    filters = desk.everybody.filters.for_person(visitor.identity)
    return _list(request, desk, ListAddress("/studies", chosen), StudyQuery(), filters)


@endpoints.post("/finds", Permission.SEE_PATIENTS)
def find(
    desk: OurDesk,
    visitor: OurVisitor,
    words: Text = "",
    patient_id: Text = "",
    patient_name: Text = "",
    accession_number: Text = "",
    description: Text = "",
    reason: Text = "",
    first_date: Annotated[date | None, Form()] = None,
    last_date: Annotated[date | None, Form()] = None,
) -> RedirectResponse:
    """Search; the address of the answer says nothing of what was looked for."""
    with told_as(422):
        query = StudyQuery(
            words=tuple(words.split()),
            patient_id=patient_id.strip(),
            patient_name=patient_name.strip(),
            accession_number=accession_number.strip(),
            description=description.strip(),
            reason=reason.strip(),
            first_date=first_date,
            last_date=last_date,
        )
    if query == StudyQuery():
        return RedirectResponse("/studies", 303)
    number = desk.finds.keep(visitor.identity, query)
    searched = AuditedObject(ObjectType.SEARCH, number)
    desk.auditor.note(AuditedAct.SEARCHED, visitor, searched, query.patient_id)
    return RedirectResponse(f"/finds/{number}", 303)


@endpoints.get("/finds/{number}", Permission.SEE_PATIENTS, response_class=HTMLResponse)
def found(
    request: Request, desk: OurDesk, visitor: OurVisitor, number: str, chosen: Chosen
) -> HTMLResponse:
    """The list of what a search finds."""
    query = desk.finds.of(visitor.identity, number)
    if query is None:
        raise HTTPException(404, "this search is over: search again")
    return _list(request, desk, ListAddress(f"/finds/{number}", chosen), query)


@endpoints.post("/studies/acts", Permission.ACT)
def act_on_many(
    desk: OurDesk,
    visitor: OurVisitor,
    action: Annotated[RequestAction, Form()],
    study: Annotated[list[str], Form(max_length=MOST_AT_ONCE)] = [],  # noqa: B006 - read only
    back: Annotated[str, Form(max_length=300)] = "/studies",
) -> RedirectResponse:
    """Ask the gateway for the same with each of several studies, where it can be done."""
    if action not in {act.action for act in BULK}:
        raise HTTPException(422, "this is done with one study at a time")
    number = 0
    for listed in filter(None, map(desk.records.search.at, study)):
        for workitem in _meant(desk, listed, action):
            ask_for(desk, visitor, listed, WantedAct(action, workitem))
            number += 1
    place = back if OURS.fullmatch(back) else "/studies"
    return RedirectResponse(f"{place}{'&' if '?' in place else '?'}asked={number}", 303)


def _meant(desk: Desk, study: ListedStudy, action: RequestAction) -> Sequence[str]:
    """The ids of the workitems with which it can be done now; "" is the study itself."""
    if called(OF_STUDY, action):
        return ("",)
    items = views.study(desk.records, study.study_uid).workitems
    return [i.id for i in items if i.superseded_by is None and called(acts_on(i), action)]


def _list(
    request: Request,
    desk: Desk,
    address: ListAddress,
    query: StudyQuery,
    filters: Sequence[SavedFilter] = (),
) -> HTMLResponse:
    chosen = address.chosen
    query = replace(
        query,
        states=tuple(one for one in StudyState if one == chosen.state),
        assessments=tuple(one for one in AssessmentStanding if one == chosen.assessment),
        modules=(chosen.module,) if chosen.module else (),
        passed_over=(chosen.passed_over,) if chosen.passed_over else (),
        modalities=(chosen.modality,) if chosen.modality else (),
        order=chosen.sort,
    )
    with told_as(404):
        shown = views.find(desk.records, query, chosen.page, PAGE)
    asked = request.query_params.get("asked", "")
    return desk.rendering.page(
        request,
        "studies.html",
        now=time.time(),
        shown=shown,
        address=address,
        chosen=chosen,
        query=query,
        is_search=address.path != "/studies",
        states=list(StudyState),
        assessments=list(AssessmentStanding),
        orders=list(StudyOrder),
        modules=sorted({module.name for module in desk.modules.facts}),
        bulk=BULK,
        listens=desk.site.receiver.title_and_place,
        said=_said(asked),
        filters=filters,
        active=next((one for one in filters if one.number == chosen.view), None),
    )


def _said(asked: str) -> str:
    """How often something was asked for, in words; "" where nothing was."""
    if not asked.isdecimal():
        return ""
    if not int(asked):
        return "Nothing was asked for: choose studies in which this can be done."
    return f"The gateway was asked to do it {counted(int(asked), 'time')}."
