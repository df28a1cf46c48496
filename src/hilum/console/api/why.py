"""Why there is no result of a study. What is asked for stands in the body: URLs name no patient."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints
from pydantic_core import to_json

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.console.api import V1
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.people.visitor import Visitor
from hilum.records.views import as_json
from hilum.why.archives import archives_of, ask_archives, with_answer
from hilum.why.explanation import Explanation
from hilum.why.question import LONGEST, explain, search_for

Wanted = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST)]

LINES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-ndjson": {}}}}

endpoints = resource()


class WhyQuestion(BaseModel):
    """What is asked for: an accession number, patient ID, address, UID or id of a workitem."""

    wanted: Wanted


@endpoints.post(f"{V1}/why", Permission.SEE_PATIENTS, responses=answers(Explanation))
def why(desk: OurDesk, visitor: OurVisitor, question: WhyQuestion) -> Any:
    """The cause in one sentence, with what to do, as the records have it."""
    return as_json(_explained(desk, visitor, question.wanted))


@endpoints.post(
    f"{V1}/why/archives", Permission.SEE_PATIENTS, responses=LINES, response_class=StreamingResponse
)
def archives(desk: OurDesk, visitor: OurVisitor, question: WhyQuestion) -> StreamingResponse:
    """What archives answer, one JSON object a line as they come, within 5 seconds.

    Each has the `answer` of one archive, and the `explanation` as it is to be told from then on.
    """
    said = _explained(desk, visitor, question.wanted)
    return StreamingResponse(_lines(desk, question.wanted, said), media_type="application/x-ndjson")


def note_search(desk: Desk, visitor: Visitor, said: Explanation | None) -> None:
    """Have it on record that somebody asked for a study."""
    searched = AuditedObject(ObjectType.SEARCH, "why not")
    found = AuditedObject.study(said.study_uid) if said and said.study_uid else searched
    desk.auditor.note(AuditedAct.SEARCHED, visitor, found)


def _explained(desk: Desk, visitor: Visitor, wanted: str) -> Explanation:
    """The answer from the records; HTTP 422 where it cannot be asked so."""
    with told_as(422):
        said = explain(desk.site, desk.records, wanted, time.time())
    note_search(desk, visitor, said)
    return said


def _lines(desk: Desk, wanted: str, said: Explanation) -> Iterator[bytes]:
    for answer in ask_archives(archives_of(desk.site), search_for(desk.records, wanted)):
        said = with_answer(said, answer, desk.site)
        yield to_json({"answer": answer, "explanation": said}) + b"\n"
