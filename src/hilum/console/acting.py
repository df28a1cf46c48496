"""Asks the gateway for what a person wants, after it is on record who wants it."""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import HTTPException

from hilum.asking import answer_to, request
from hilum.audit import AuditedAct, AuditedObject, AuditOutcome
from hilum.console.acts import StudyAct, offered
from hilum.console.desk import Desk
from hilum.people.visitor import Visitor
from hilum.records import views
from hilum.records.listed import ListedStudy
from hilum.records.states import RequestAction
from hilum.records.views import WorkitemView


class GatewayReply(NamedTuple):
    """What the gateway says to request `number`, and whether it did it, or will."""

    done: bool
    text: str
    number: int


def ask_for(
    desk: Desk,
    visitor: Visitor,
    study: ListedStudy,
    item: WorkitemView,
    act: StudyAct,
    reason: str = "",
    patience: float = 0.0,
) -> GatewayReply:
    """What the gateway says within `patience` s; what it refuses is on record, too.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    done = (AuditedAct(act.action.value), visitor, AuditedObject.workitem(item.id, study.study_uid))
    desk.auditor.note(*done, study.patient_id, reason, AuditOutcome.ASKED)
    number = request(desk.records, desk.site.data, act.action, item.id, reason)
    reply = GatewayReply(*answer_to(desk.records, number, patience), number)
    if not reply.done:
        desk.auditor.note(*done, study.patient_id, reply.text, AuditOutcome.FAILED)
    return reply


def ask_for_each(
    desk: Desk, visitor: Visitor, action: RequestAction, workitems: Iterable[str]
) -> int:
    """Ask for the same with each of several workitems, by id; how many. Each is on record before.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, so it, and what follows, is not done.
    """
    number = 0
    for number, workitem in enumerate(workitems, 1):  # noqa: B007 - it is the answer
        study_uid = desk.records.workitems.one(workitem).study_uid
        about = AuditedObject.workitem(workitem, study_uid)
        patient = desk.records.identifiers.patient_of(study_uid)
        desk.auditor.note(AuditedAct(action.value), visitor, about, patient)
        request(desk.records, desk.site.data, action, workitem)
    return number


def ask_at(
    desk: Desk,
    visitor: Visitor,
    address: str,
    workitem: str,
    action: RequestAction,
    reason: str,
    patience: float,
) -> GatewayReply:
    """The same for a workitem of the study at `address`, by its id, if it is offered now.

    Raises
    ------
    HTTPException
        404: there is no such study or workitem; 409: not in this state; 422: the reason is missing.
    """
    study = desk.records.search.at(address)
    if study is None:
        raise HTTPException(404, "there is no study at this address")
    items = views.study(desk.records, study.study_uid).workitems
    item = next((item for item in items if item.id == workitem), None)
    if item is None:
        raise HTTPException(404, "this study has no such workitem")
    act = offered(item.state, action)
    if act is None:
        raise HTTPException(409, f"it is {item.state} now: look at it again")
    if act.needs_reason and not reason:
        raise HTTPException(422, "say the reason: people read it in the archive")
    return ask_for(desk, visitor, study, item, act, reason, patience)
