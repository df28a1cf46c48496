"""Have a study fetched from an archive. The body says which one: URLs name no patient."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, StringConstraints

from hilum.console.acting import RequestNumber, fetch_asked, fetch_from
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records.models.requests import Request
from hilum.why.question import LONGEST

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST)]

endpoints = resource()


class WantedStudy(BaseModel):
    """An accession number or a Study Instance UID, and the archive that has it."""

    archive: Text
    study: Text


@dataclass(frozen=True)
class FetchProgress:
    """How far a study is that is fetched; `text` is the answer once it `has_ended`."""

    request: int
    archive: str
    study_uid: str
    has_ended: bool
    done: bool
    text: str


@endpoints.post(f"{V1}/fetches", Permission.ACT)
def fetch(desk: OurDesk, visitor: OurVisitor, wanted: WantedStudy) -> FetchProgress:
    """Ask the gateway for it; it goes on by itself."""
    number = fetch_from(desk, visitor, wanted.archive, wanted.study)
    return _shown(desk.records.requests.one(number))


@endpoints.get(f"{V1}/fetches/{{number}}", Permission.ACT)
def progress(desk: OurDesk, number: RequestNumber) -> FetchProgress:
    """How far it is."""
    return _shown(fetch_asked(desk, number))


def _shown(asked: Request) -> FetchProgress:
    text = asked.progress if asked.answer is None else asked.answer
    has_ended = asked.answer is not None
    return FetchProgress(asked.id, asked.wish.archive, asked.study_uid, has_ended, asked.done, text)
