"""The page of studies from before, which today's rules would analyse; a person has them run."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse

from hilum.console.acting import WantedAct, ask_for
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records.listed import ListedStudy
from hilum.records.states import RequestAction
from hilum.study.missed import MissedStudy, missed

DAY = 86_400.0  # seconds
PATIENCE = 8.0  # seconds that a page may take to read images
MOST_DAYS = 366
MOST_AT_ONCE = 500  # studies
NOTHING_TICKED: list[str] = []

endpoints = pages()

Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


@dataclass(frozen=True)
class MissedQuery:
    """Of how many days; by which rule, "" for every one; `before` which time (s since 1970)."""

    days: int
    rule: str
    before: float


@dataclass(frozen=True)
class MissedLine:
    """A missed study as the page shows it."""

    study: ListedStudy
    missed: MissedStudy


@endpoints.get("/rules/missed", Permission.ACT, response_class=HTMLResponse)
def look(
    request: Request,
    desk: OurDesk,
    days: Days = 7,
    rule: Annotated[str, Query(max_length=64)] = "",
    before: float = math.inf,
) -> HTMLResponse:
    """The studies of the last `days`, as far as they can be looked at in a few seconds.

    `before` goes on where an earlier page has ended.
    """
    return _page(request, desk, MissedQuery(days, rule, before))


@endpoints.post("/rules/missed", Permission.ACT, response_class=HTMLResponse)
def run(
    request: Request,
    desk: OurDesk,
    visitor: OurVisitor,
    study: Annotated[list[str], Form(max_length=MOST_AT_ONCE)] = NOTHING_TICKED,
    days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = 7,
    rule: Annotated[str, Form(max_length=64)] = "",
    before: Annotated[float, Form()] = math.inf,
) -> HTMLResponse:
    """Have today's rules decide on the ticked studies; which, are their addresses."""
    query = MissedQuery(days, rule, before)
    if not study:
        return _page(request, desk, query, problem="tick the studies that are to be run")
    wanted = list(filter(None, map(desk.records.search.at, study)))
    for one in wanted:
        ask_for(desk, visitor, one, WantedAct(RequestAction.RERUN))
    return _page(request, desk, query, asked=wanted)


def _page(
    request: Request,
    desk: Desk,
    query: MissedQuery,
    asked: Collection[ListedStudy] = (),
    problem: str = "",
) -> HTMLResponse:
    since = time.time() - query.days * DAY
    rules = [query.rule] if query.rule else []
    found = missed(
        desk.site, desk.records, desk.modules.needs, since, query.before, rules, PATIENCE
    )
    uids = {study.study_uid for study in asked}
    return desk.rendering.page(
        request,
        "rules_missed.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        found=found,
        lines=_lines(desk, [one for one in found.found if one.study_uid not in uids]),
        query=query,
        rules=list(desk.site.rules_by_name),
        most_days=MOST_DAYS,
        asked=asked,
        problem=problem,
    )


def _lines(desk: Desk, found: Collection[MissedStudy]) -> list[MissedLine]:
    listed = desk.records.search.of([one.study_uid for one in found])
    return [MissedLine(listed[one.study_uid], one) for one in found if one.study_uid in listed]
