"""The study at an address, and the note in the audit trail that somebody saw its patient."""

from fastapi import HTTPException

from hilum.audit import AuditedAct, AuditedObject
from hilum.console.desk import Desk
from hilum.people.visitor import Visitor
from hilum.records.listed import ListedStudy


def study_at(desk: Desk, address: str) -> ListedStudy:
    """The study at `address`; 404 if there is none."""
    study = desk.records.search.at(address)
    if study is None:
        raise HTTPException(404, "there is no study at this address")
    return study


def note_look(desk: Desk, visitor: Visitor, study: ListedStudy) -> None:
    """Have it on record that somebody saw this patient."""
    of = AuditedObject.study(study.study_uid)
    desk.auditor.note(AuditedAct.OPENED, visitor, of, study.patient_id)
