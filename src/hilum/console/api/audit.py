"""The audit trail: who did what, and whether it is as it was written."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from hilum.audit import AuditedAct
from hilum.audit.entry import ChainHead
from hilum.audit.store import AuditFilter
from hilum.audit.views import AuditPage, read_audit
from hilum.console.api import V1
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor
from hilum.records import views
from hilum.records.views import as_json

NO_STUDY = ("none",)  # no entry is of it

endpoints = resource()


@dataclass(frozen=True)
class TrailReport:
    """Whether the trail is whole; else each fault in words. The head is that of its last entry."""

    entries: int
    head: ChainHead | None
    faults: tuple[str, ...]
    is_whole: bool


Text = Annotated[str, Query(max_length=256)]
Moment = Annotated[float | None, Query(ge=0, le=1e11)]
Number = Annotated[int, Query(ge=1, le=1_000_000_000)]


class AuditQuestion(BaseModel):
    """Which entries are wanted; what is left out means any. Times in s since 1970."""

    model_config = ConfigDict(extra="forbid")

    patient_id: str = Field("", max_length=256)
    person: str = Field("", max_length=256)
    act: AuditedAct | None = None
    study_uid: str = Field("", max_length=256)
    accession_number: str = Field("", max_length=256)
    since: float | None = Field(None, ge=0, le=1e11)
    until: float | None = Field(None, ge=0, le=1e11)
    page: int = Field(1, ge=1, le=1_000_000_000)


class KnownHead(BaseModel):
    """A head that was exported once, NUMBER:HASH, or nothing."""

    model_config = ConfigDict(extra="forbid")

    head: str = Field("", max_length=128)


@endpoints.get(f"{V1}/audit", Permission.ADMINISTER, responses=answers(AuditPage))
def list_audit(
    desk: OurDesk,
    visitor: OurVisitor,
    person: Text = "",
    act: AuditedAct | None = None,
    study_uid: Text = "",
    since: Moment = None,
    until: Moment = None,
    page: Number = 1,
) -> Any:
    """One page of who did what, the latest first."""
    wanted = AuditFilter(person, act, _one(study_uid), since=since, until=until)
    return _page(desk, visitor, wanted, page)


@endpoints.post(f"{V1}/audit/search", Permission.ADMINISTER, responses=answers(AuditPage))
def search_audit(desk: OurDesk, visitor: OurVisitor, question: AuditQuestion) -> Any:
    """The same, also for one patient or order, whose number then stands in no address."""
    studies = _one(question.study_uid)
    if question.accession_number:
        named = views.studies_named(desk.records, question.accession_number)
        studies = tuple(uid for uid in named if not studies or uid in studies) or NO_STUDY
    values = question.model_dump(exclude={"page", "study_uid", "accession_number"})
    return _page(desk, visitor, AuditFilter(**values, studies=studies), question.page)


@endpoints.post(f"{V1}/audit/verify", Permission.ADMINISTER, responses=answers(TrailReport))
def verify_audit(desk: OurDesk, known: KnownHead) -> Any:
    """Whether every entry is as it was written, and the head that is `known` among them."""
    with told_as(404):
        report = desk.auditor.store.verify(ChainHead.parse(known.head) if known.head else None)
    return as_json(TrailReport(**vars(report), is_whole=report.is_whole))


def _one(study_uid: str) -> tuple[str, ...]:
    return (study_uid,) if study_uid else ()


def _page(desk: Desk, visitor: Visitor, wanted: AuditFilter, page: int) -> Any:
    with told_as(404):
        return as_json(read_audit(desk.auditor, visitor, wanted, page))
