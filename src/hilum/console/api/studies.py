"""The studies: what came, what was decided and why, and where the results are."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import HTTPException, Query

from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import answers, resource
from hilum.console.mishaps import told_as
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.views import as_json

endpoints = resource()


@dataclass(frozen=True, kw_only=True)
class TracedStudy(views.StudyView):
    """A study, and every event of it in order."""

    trace: tuple[views.TraceLine, ...]


@endpoints.get(f"{V1}/studies", Permission.LOOK, responses=answers(views.StudyPage))
def list_studies(
    desk: OurDesk,
    page: Annotated[int, Query(ge=1, le=1_000_000_000)] = 1,
    unfinished: bool = False,
) -> Any:
    """One page of the studies, the latest first."""
    with told_as(404):
        return as_json(views.studies(desk.records, page, unfinished))


@endpoints.get(f"{V1}/studies/{{uid}}", Permission.LOOK, responses=answers(TracedStudy))
def one_study(desk: OurDesk, uid: str) -> Any:
    """One study with its workitems and its trace."""
    try:
        view = views.study(desk.records, uid)
    except LookupError as error:
        raise HTTPException(404, "no such study was received") from error
    lines = views.trace(desk.records, uid, desk.site.in_order)
    return as_json(TracedStudy(**vars(view), trace=tuple(lines)))
