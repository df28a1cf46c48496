"""What readers said of the results of a study; and what a reader says now is put on record.

Before that it is in the audit trail who says it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fastapi import HTTPException

from hilum.assessments.assessing import (
    CHANGED,
    MayBeAssessed,
    audited,
    fault_in,
    objection_to,
    said_here,
)
from hilum.assessments.decision import AssessmentDecision
from hilum.audit import AuditedAct, AuditedObject, AuditOutcome
from hilum.console.desk import Desk
from hilum.console.looking import study_at
from hilum.people.visitor import Visitor
from hilum.records import Records
from hilum.records.assessed import Assessment, last_of_each, standing_with
from hilum.records.states import AssessmentStanding


class _Item(MayBeAssessed, Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class ResultReading:
    """What readers said of one result, how it stands with them, why no more may be said.

    The `objection` is "" where the result may be assessed.
    """

    said: tuple[Assessment, ...]
    standing: AssessmentStanding
    objection: str

    def counts(self, one: Assessment) -> bool:
        """Whether it is the last word of its reader."""
        return one in last_of_each(self.said)


def readings_of(records: Records, items: Iterable[_Item]) -> dict[str, ResultReading]:
    """Of each workitem whose result was or may be assessed, by its id."""
    objections = {item.id: objection_to(item) for item in items}
    said = records.assessments.of_workitems(objections)
    return {
        item: ResultReading(tuple(said.get(item, ())), standing_with(said.get(item, ())), objection)
        for item, objection in objections.items()
        if item in said or not objection
    }


def assess_at(
    desk: Desk,
    visitor: Visitor,
    address: str,
    workitem: str,
    decision: AssessmentDecision,
    reason: str,
) -> Assessment:
    """What `visitor` says of the result of a workitem of the study at `address`.

    Raises
    ------
    HTTPException
        404: there is no such study or workitem; 409: it has no result that may be assessed; 422:
        the reason is missing, or cannot be taken.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    study = study_at(desk, address)
    item = desk.records.workitems.get(workitem)
    if item is None or item.study_uid != study.study_uid:
        raise HTTPException(404, "this study has no such workitem")
    if objection := objection_to(item):
        raise HTTPException(409, objection)
    if fault := fault_in(reason, decision, study):
        raise HTTPException(422, fault)
    about = (AuditedObject.workitem(item.id, study.study_uid), study.patient_id)

    def note(act: AuditedAct, why: str, outcome: AuditOutcome) -> None:
        desk.auditor.note(act, visitor, *about, why, outcome)

    said = said_here(item.id, visitor.name, visitor.identity, decision, reason.strip())
    made = audited(note, desk.site, desk.records, said)
    if made is None:
        raise HTTPException(409, CHANGED)
    return made
