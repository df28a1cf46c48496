"""The page of one study: results, deliveries, series, what happened, and what to do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from hilum.acts.asked import trace_with_people
from hilum.audit import AuditedAct
from hilum.config.fields import STUDY
from hilum.console.acting import LONGEST_REASON, WantedAct, ask_at
from hilum.console.acts import OF_STUDY, acts_on
from hilum.console.assessing import readings_of
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.console.looking import note_look, study_at
from hilum.console.mishaps import told_as
from hilum.console.pictures import picture_of, series_of
from hilum.console.refusing import RefusedForm, TypedForm
from hilum.console.thumbnails import thumbnail_of
from hilum.dicom.doubt import held_for
from hilum.errors import AuditUnavailable
from hilum.inbox import Inbox
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor
from hilum.records import views
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.requests import Request as Asked
from hilum.records.models.standings import NotedPause
from hilum.records.states import (
    OWED,
    PARKED,
    EventKind,
    PausedKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.records.views import CourseSpan, StudyView, TraceLine, WorkitemView
from hilum.study.hours import OpenHours
from hilum.why.known import SHOWN_DIGITS, Known
from hilum.why.study import of_study

LONGEST_TYPED = 5000  # characters; a form with more is not even shown again
ANSWERED_IN = 3.0  # s for which a person waits for the gateway's answer to an act
TROUBLE = {
    EventKind.QUARANTINED,
    EventKind.NOT_FETCHED,
    EventKind.ABORTED,
    EventKind.UNREADABLE,
    EventKind.UNJUDGED,
    EventKind.DELAYED,
    EventKind.REFUSED,
    EventKind.NOT_SHOWN,
    EventKind.MISFILED,
    EventKind.WARNING,
    EventKind.HELD,
    EventKind.PARKED,
    EventKind.FAILED,
}
NOTE_ON = {
    WorkitemKind.WITHDRAWAL: "Note that takes back a result of ",
    WorkitemKind.ASSESSMENT: "Note on what a reader said of a result of ",
}
SUFFIX = {"application/dicom": ".dcm", "application/pdf": ".pdf"}

endpoints = pages()


@dataclass(frozen=True)
class CourseLine:
    """One line of the timeline: a span and where its bar lies, in parts of a thousand."""

    span: CourseSpan
    left: float
    width: float
    seconds: float


@endpoints.get("/studies/{address}", Permission.LOOK, response_class=HTMLResponse)
def study(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    address: str,
    asked: int | None = None,
    trouble: bool = False,
) -> HTMLResponse:
    """The page; `asked` is the number of a request whose answer is shown."""
    return study_page(request, desk, visitor, address, asked, trouble)


def study_page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    address: str,
    asked: int | None = None,
    trouble: bool = False,
    refused: RefusedForm | None = None,
) -> HTMLResponse:
    """The same, also after one of its forms was `refused`."""
    listed = study_at(desk, address)
    view = views.study(desk.records, listed.study_uid)
    sees = visitor.may(Permission.SEE_PATIENTS)
    trace = trace_with_people(desk.site, desk.records, desk.auditor.store, view.study_uid, sees)
    now = time.time()
    if sees:
        note_look(desk, visitor, listed)
    standing = [item for item in view.workitems if item.superseded_by is None]
    is_undecided = view.corrected or any(map(_waits_for_choice, standing))
    known = Known.of(desk.site, desk.records, view.study_uid, now)
    explained = of_study(known)
    said = next(iter(explained), None)
    return desk.rendering.page(
        request,
        "study.html",
        refused.status if refused else 200,
        refused=refused,
        study=view,
        address=address,
        listed=listed,
        told=[item for item in standing if item.state is not WorkitemState.NOT_APPLICABLE],
        passed_over=[item for item in standing if item.state is WorkitemState.NOT_APPLICABLE],
        earlier=[item for item in view.workitems if item.superseded_by is not None],
        lines=_lines(views.course(view, trace), now),
        trace=[line for line in trace if not trouble or line.kind in TROUBLE],
        trouble=trouble,
        troubles=sum(line.kind in TROUBLE for line in trace),
        waits=_waits(known),
        of_images=said if said and not said.workitem and not is_undecided else None,
        why=said if said and said.workitem else None,
        explained={one.workitem: one for one in explained},
        note_on=NOTE_ON,
        acts_on=acts_on,
        of_study=OF_STUDY,
        modules=sorted(desk.modules.needs),
        destinations=[destination.name for destination in desk.site.destination],
        answer=_answer(desk, view, asked),
        parked=_parked(standing),
        viewers={
            one.name: one.viewer_url.replace(STUDY, view.study_uid)
            for one in desk.site.destination
            if one.viewer_url and sees
        },
        paused=_paused(desk, standing),
        taken_back=_taken_back(trace, view),
        upload=desk.records.uploads.get(view.study_uid),
        readings=readings_of(desk.records, view.workitems),
        is_undecided=is_undecided,
        addresses={view.study_uid: address, **{i.id[-SHOWN_DIGITS:]: address for i in standing}},
        longest_reason=LONGEST_REASON,
    )


def _waits(known: Known) -> dict[str, str]:
    """Until when workitems wait for the hours of their rule, and why, by id."""
    hours = OpenHours(known.site.rule)
    return {item.id: told for item in known.items if (told := hours.told(item, known.now))}


@endpoints.post("/studies/{address}/acts", Permission.ACT)
def act(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    address: str,
    action: Annotated[RequestAction, Form()],
    workitem: Annotated[str, Form(max_length=64)] = "",
    reason: Annotated[str, Form(max_length=LONGEST_TYPED)] = "",
    module: Annotated[str, Form(max_length=64)] = "",
    destination: Annotated[list[str], Form(max_length=64)] = [],  # noqa: B006 - read only
    images: Annotated[bool, Form()] = False,
) -> Response:
    """Ask the gateway to do something, and show what it says."""
    chosen = (module, tuple(destination), images)
    wanted = WantedAct(action, workitem, reason.strip(), *chosen)
    try:
        number = ask_at(desk, visitor, address, wanted, ANSWERED_IN).number
    except (HTTPException, AuditUnavailable) as error:
        refused = RefusedForm.of(TypedForm(action, workitem, reason, *chosen), error)
        return study_page(request, desk, visitor, address, refused=refused)
    return RedirectResponse(f"/studies/{address}?asked={number}", 303)


@endpoints.get("/studies/{address}/results/{identity}", Permission.SEE_PATIENTS)
def download(desk: OurDesk, visitor: OurVisitor, address: str, identity: str) -> FileResponse:
    """The file of a result object."""
    result = _result(desk, address, identity)
    note_look(desk, visitor, study_at(desk, address))
    name = f"{result.kind}{SUFFIX.get(result.media_type, '')}"
    return FileResponse(desk.site.data / result.path, media_type=result.media_type, filename=name)


@endpoints.get("/studies/{address}/results/{identity}/picture", Permission.SEE_PATIENTS)
def picture(desk: OurDesk, address: str, identity: str) -> Response:
    """The picture of a result as PNG."""
    result = _result(desk, address, identity)
    return Response(picture_of(desk.site.data / result.path), media_type="image/png")


@endpoints.get("/studies/{address}/series/{series_uid}", Permission.SEE_PATIENTS)
def thumbnail(desk: OurDesk, address: str, series_uid: str) -> Response:
    """A small picture of one of its series."""
    study_uid = study_at(desk, address).study_uid
    folder = Inbox(desk.site.data).study_folder(study_uid)
    files = (folder / name for name in sorted(desk.records.identifiers.siblings_of(study_uid)))
    file = next((file for file in files if series_of(file) == series_uid), None)
    if file is None:
        raise HTTPException(404, "no image of this series is here")
    with told_as(404):
        return Response(thumbnail_of(file), media_type="image/png")


def _result(desk: Desk, address: str, identity: str) -> WrittenResult:
    result = desk.records.results.called(identity)
    item = desk.records.workitems.get(result.workitem_id) if result else None
    if result is None or item is None:
        raise HTTPException(404, "this study has no such result")
    if item.study_uid != desk.records.identifiers.study_at(address):
        raise HTTPException(404, "this study has no such result")
    if not (desk.site.data / result.path).exists():
        raise HTTPException(410, "its file was removed from this disk by a rule")
    return result


def _answer(desk: Desk, view: StudyView, number: int | None) -> Asked | None:
    """The request with this number, if it is about this study."""
    if number is None:
        return None
    try:
        asked = desk.records.requests.one(number)
    except LookupError:
        return None
    is_ours = asked.study_uid == view.study_uid
    return asked if is_ours or asked.workitem_id in {i.id for i in view.workitems} else None


def _parked(items: list[WorkitemView]) -> list[tuple[str, str]]:
    """What waits for a person at which destination, and why."""
    return [
        (delivery.destination, delivery.reason)
        for item in items
        for delivery in item.deliveries
        if delivery.state in PARKED
    ]


def _waits_for_choice(item: WorkitemView) -> bool:
    """Whether a person has to say whose the images are before it can be analysed."""
    return item.state is WorkitemState.HELD and bool(held_for(item.reason))


def _paused(desk: Desk, items: list[WorkitemView]) -> list[NotedPause]:
    """The pauses of modules and destinations that something of the study waits for."""
    new = {item.module for item in items if item.state is WorkitemState.SCHEDULED}
    owed = {one.destination for item in items for one in item.deliveries if one.state in OWED}
    waits = {PausedKind.MODULE: new, PausedKind.DESTINATION: owed}
    pauses = desk.records.pauses.all()
    return [pause for pause in pauses if pause.name in waits.get(pause.kind, ())]


def _taken_back(trace: Sequence[TraceLine], view: StudyView) -> dict[str, TraceLine]:
    """Who took a result back, and why, by the workitem; the last request that may have done it."""
    gone = {item.id for item in view.workitems if item.state is WorkitemState.WITHDRAWN}
    asked = f" asked for {AuditedAct.WITHDRAW}"
    people = (line for line in trace if line.kind is EventKind.PERSON and asked in line.text)
    return {line.workitem: line for line in people if line.workitem in gone}


def _lines(spans: tuple[CourseSpan, ...], now: float) -> list[CourseLine]:
    """Bars over the time from the first image to the last thing that happened."""
    begin = min(span.begin for span in spans)
    end = max(max(span.end or now, span.begin) for span in spans)
    whole = max(end - begin, 1e-3)
    lines = []
    for span in spans:
        seconds = max(0.0, (span.end or now) - span.begin)
        left = 1000 * (span.begin - begin) / whole
        lines.append(CourseLine(span, left, max(4.0, 1000 * seconds / whole), seconds))
    return lines
