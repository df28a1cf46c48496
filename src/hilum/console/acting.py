"""Asks the gateway for what a person wants, after it is on record who wants it."""

from typing import NamedTuple

from hilum.asking import answer_to, request
from hilum.audit import AuditedAct, AuditedObject, AuditOutcome
from hilum.console.acts import StudyAct
from hilum.console.desk import Desk
from hilum.people.visitor import Visitor
from hilum.records.listed import ListedStudy
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
