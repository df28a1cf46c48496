"""Searches for studies. What is looked for is posted, so no address names a patient."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Body

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.search import StudyQuery
from hilum.records.states import AssessmentStanding, StudyOrder, StudyState
from hilum.records.views import as_json

endpoints = resource()


@dataclass(frozen=True)
class WantedStudies:
    """Which studies are looked for, as `hilum find` has it, and which page of them."""

    words: tuple[str, ...] = ()
    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    description: str = ""
    first_date: date | None = None
    last_date: date | None = None
    modalities: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    states: tuple[StudyState, ...] = ()
    assessments: tuple[AssessmentStanding, ...] = ()
    reason: str = ""
    order: StudyOrder = StudyOrder.NEWEST
    page: int = 1


@endpoints.post(f"{V1}/finds", Permission.SEE_PATIENTS, responses=answers(views.FoundPage))
def find_studies(
    desk: OurDesk, visitor: OurVisitor, wanted: Annotated[WantedStudies, Body()]
) -> Any:
    """One page of the studies that are found, with patient data."""
    values = {name: value for name, value in vars(wanted).items() if name != "page"}
    searched = AuditedObject(ObjectType.SEARCH, "finds")
    desk.auditor.note(AuditedAct.SEARCHED, visitor, searched, wanted.patient_id)
    with told_as(422):
        return as_json(views.find(desk.records, StudyQuery(**values), wanted.page))
