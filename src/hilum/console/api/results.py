"""The results of a study as JSON, word for word as destinations receive them."""

import json
from dataclasses import dataclass
from typing import Any

from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.guard import OurVisitor
from hilum.console.looking import note_look, study_at
from hilum.people.roles import Permission
from hilum.result_event import ResultEvent
from hilum.results import JSON

KIND = "json"  # of result objects whose documents are given; others of that media type are not ours

endpoints = resource()


@dataclass(frozen=True)
class StatedResult:
    """What was written of one workitem; `identity` is its `webhook-id`."""

    workitem: str
    identity: str
    superseded_by: str | None
    event: ResultEvent


@dataclass(frozen=True)
class StatedResults:
    """The documents of a study, those of the oldest workitem first."""

    results: tuple[StatedResult, ...]


@endpoints.get(
    f"{V1}/studies/{{address}}/results",
    Permission.SEE_PATIENTS,
    responses=answers(StatedResults),
)
def list_results(desk: OurDesk, visitor: OurVisitor, address: str) -> Any:
    """Every result of the study at this address as JSON, and what takes results back.

    There is none unless a destination receives "json".
    """
    study = study_at(desk, address)
    note_look(desk, visitor, study)
    items = {item.id: item for item in desk.records.workitems.outlines_of([study.study_uid])}
    written = desk.records.results.of_workitems(items)
    found = []
    for item in items.values():
        for result in written:
            path = desk.site.data / result.path
            is_ours = (result.kind, result.media_type) == (KIND, JSON)
            if result.workitem_id != item.id or not is_ours or not path.exists():
                continue
            found.append(
                {
                    "workitem": item.id,
                    "identity": result.identity,
                    "superseded_by": item.superseded_by,
                    "event": json.loads(path.read_bytes()),
                }
            )
    return {"results": found}
