"""A person says in the console, or a program through its API, whose the images of a study are."""

from dataclasses import replace

from fastapi import HTTPException

from hilum.audit import AuditedAct, AuditedObject
from hilum.console.acting import GatewayReply, WantedAct, ask_for
from hilum.console.desk import Desk
from hilum.console.looking import study_at
from hilum.console.mishaps import told_as
from hilum.patients.choosing import Version, choose, patient_ids_of, versions_of
from hilum.people.visitor import Visitor
from hilum.records.listed import ListedStudy
from hilum.records.states import RequestAction


def seen_versions(desk: Desk, visitor: Visitor, study: ListedStudy) -> list[Version]:
    """What the images of a study state; it is on record that `visitor` sees these patients.

    Raises
    ------
    HTTPException
        409: its images are not here.
    """
    with told_as(409):
        versions = versions_of(desk.site, desk.records, study.study_uid)
    about = AuditedObject.study(study.study_uid)
    desk.auditor.note(AuditedAct.OPENED, visitor, about, patient_ids_of(versions))
    return versions


def choose_at(
    desk: Desk, visitor: Visitor, address: str, number: str, patience: float
) -> GatewayReply:
    """What the gateway says within `patience` s to the choice of the patient with this `number`.

    Raises
    ------
    HTTPException
        404: there is no such study; 409: its images are not here, or nothing waits for a decision;
        422: no patient is chosen.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    study = study_at(desk, address)
    if not number:
        raise HTTPException(422, "choose one of the patients")
    with told_as(409):
        versions = versions_of(desk.site, desk.records, study.study_uid)
        chosen = choose(desk.site, desk.records, study.study_uid, number, versions)
    wanted = WantedAct(RequestAction.DECIDE, chosen.workitem_id, chosen.identity)
    about = replace(study, patient_id=chosen.patient_id)
    return ask_for(desk, visitor, about, wanted, patience)
