"""The page of studies from before, which today's rules would analyse; a person has them run."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.missed import MissedStudies, MissedStudy, missed
from hilum.people.roles import Permission
from hilum.records.listed import ListedStudy

DAY = 86_400.0  # seconds
PATIENCE = 8.0  # seconds that a page may take to read images
MOST_DAYS = 366

endpoints = pages()

Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


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
    found = _look(desk, days, rule, before)
    return desk.rendering.page(
        request,
        "rules_missed.html",
        found=found,
        lines=_lines(desk, found.found),
        days=days,
        rule=rule,
        rules=list(desk.site.rules_by_name),
        most_days=MOST_DAYS,
    )


def _look(desk: Desk, days: int, rule: str, before: float) -> MissedStudies:
    since = time.time() - days * DAY
    rules = [rule] if rule else []
    return missed(desk.site, desk.records, desk.needs, since, before, rules, PATIENCE)


def _lines(desk: Desk, found: Collection[MissedStudy]) -> list[MissedLine]:
    addresses = desk.records.identifiers.addresses([one.study_uid for one in found])
    listed = ((one, desk.records.search.at(addresses[one.study_uid])) for one in found)
    return [MissedLine(study, one) for one, study in listed if study]
