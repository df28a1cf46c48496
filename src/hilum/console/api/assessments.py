"""What readers say of the results of a study; reasons are for those who see patients."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body

from hilum.assessments.decision import AssessmentDecision
from hilum.console.api import V1
from hilum.console.assessing import assess_at, readings_of
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.console.looking import note_look, study_at
from hilum.people.roles import Permission
from hilum.records.assessed import Assessment
from hilum.records.states import AssessmentStanding

endpoints = resource()


@dataclass(frozen=True)
class WantedAssessment:
    """What a reader says of the result of one workitem; only *accepted* needs no reason."""

    workitem: str
    decision: AssessmentDecision
    reason: str = ""


@dataclass(frozen=True)
class AssessedWorkitem:
    """A workitem, what was said of its result, and why that may not be assessed ("" if it may)."""

    workitem: str
    module: str
    version: str
    superseded_by: str | None
    said: tuple[Assessment, ...]
    standing: AssessmentStanding
    objection: str


@endpoints.get(f"{V1}/studies/{{address}}/assessments", Permission.SEE_PATIENTS)
def list_assessments(desk: OurDesk, visitor: OurVisitor, address: str) -> list[AssessedWorkitem]:
    """What readers said of each result of the study at this address, older versions included."""
    study = study_at(desk, address)
    note_look(desk, visitor, study)
    items = desk.records.workitems.outlines_of([study.study_uid])
    readings = readings_of(desk.records, items)
    return [
        AssessedWorkitem(
            item.id, item.module, item.version, item.superseded_by, **vars(readings[item.id])
        )
        for item in items
        if item.id in readings
    ]


@endpoints.post(f"{V1}/studies/{{address}}/assessments", Permission.ASSESS)
def assess(
    desk: OurDesk, visitor: OurVisitor, address: str, wanted: Annotated[WantedAssessment, Body()]
) -> Assessment:
    """Say whether the result of one workitem of the study at this address is right."""
    said = (wanted.workitem, wanted.decision, wanted.reason)
    return assess_at(desk, visitor, address, *said)
