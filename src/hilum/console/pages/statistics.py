"""The page of statistics: day by day, and what readers say, as pictures, tables and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, Response

from hilum.audit import AuditedAct, AuditedObject, ObjectType
from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.views.agreement import SAID
from hilum.records.views.now import SHOWN, STUDIES, TROUBLES, Chart

DAY = 86400.0
SPANS = (7, 30, 90)  # days to choose from

endpoints = pages("Statistics", place=7)

Days = Annotated[int, Query(ge=1, le=366)]


@endpoints.get("/statistics", Permission.LOOK, response_class=HTMLResponse)
def statistics(
    request: Request, desk: OurDesk, visitor: OurVisitor, days: Days = 30
) -> HTMLResponse:
    """The page; why results were rejected is for those who see patients."""
    shown = views.statistics_of(desk.records, days)
    agreement = views.agreement_of(desk.records, days)
    if agreement.rejected and visitor.may(Permission.SEE_PATIENTS):
        shown_reasons = AuditedObject(ObjectType.SEARCH, "rejected results")
        desk.auditor.note(AuditedAct.OPENED, visitor, shown_reasons)
    charts = [
        Chart(*titles, days * DAY, tuple(getattr(day, name) for day in shown.days))
        for titles, name in ((STUDIES, "studies"), (SHOWN, "results"), (TROUBLES, "troubles"))
    ]
    return desk.rendering.page(
        request,
        "statistics.html",
        shown=shown,
        charts=charts,
        days=days,
        spans=SPANS,
        agreement=agreement,
    )


@endpoints.get("/statistics.csv", Permission.LOOK)
def as_csv(desk: OurDesk, days: Days = 30) -> Response:
    """The table, for a spreadsheet; times are in seconds."""
    head = ["day", "studies", "results", "median_seconds", "ninety_percent_seconds", "troubles"]
    rows = [list(vars(day).values()) for day in views.statistics_of(desk.records, days).days]
    return _download("hilum-statistics.csv", [head, *rows])


@endpoints.get("/statistics/assessments.csv", Permission.LOOK)
def assessments_as_csv(desk: OurDesk, days: Days = 30) -> Response:
    """What readers say of each module, for a spreadsheet; shares and their bounds are from 0 to 1.

    No reader and no patient is in it.
    """
    head = ["module", "version", "weights_sha256", "results", "assessed"]
    names = [standing.replace(" ", "_") for standing in SAID]
    head += [f"{name}{what}" for name in names for what in ("", "_share", "_low", "_high")]
    head += ["read_by_several", "unanimous"]
    rows = [_row(module) for module in views.agreement_of(desk.records, days).modules]
    return _download("hilum-assessments.csv", [head, *rows])


def _row(module: views.ModuleAgreement) -> list[object]:
    row: list[object] = [*vars(module.version).values(), module.assessed.of, module.assessed.count]
    for share in module.shares.values():
        bounds = ("", "", "") if share.value is None else (share.value, share.low, share.high)
        row += [share.count, *(one if one == "" else f"{one:.4f}" for one in bounds)]
    return [*row, module.unanimous.of, module.unanimous.count]


def _download(name: str, rows: Iterable[Sequence[object]]) -> Response:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)
