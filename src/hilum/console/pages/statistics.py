"""The page of statistics: day by day, as a picture, a table and CSV."""

import csv
import io
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, Response

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.views.now import Chart

DAY = 86400.0
SPANS = (7, 30, 90)  # days to choose from

endpoints = pages("Statistics", place=7)

Days = Annotated[int, Query(ge=1, le=366)]


@endpoints.get("/statistics", Permission.LOOK, response_class=HTMLResponse)
def statistics(request: Request, desk: OurDesk, days: Days = 30) -> HTMLResponse:
    """The page."""
    shown = views.statistics_of(desk.records, days)
    charts = [
        Chart(title, days * DAY, tuple(getattr(day, name) for day in shown.days))
        for title, name in (
            ("studies", "studies"),
            ("results shown", "results"),
            ("failed or waiting for a person", "troubles"),
        )
    ]
    return desk.rendering.page(
        request, "statistics.html", shown=shown, charts=charts, days=days, spans=SPANS
    )


@endpoints.get("/statistics.csv", Permission.LOOK)
def as_csv(desk: OurDesk, days: Days = 30) -> Response:
    """The table, for a spreadsheet; times are in seconds."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        ["day", "studies", "results", "median_seconds", "ninety_percent_seconds", "troubles"]
    )
    for day in views.statistics_of(desk.records, days).days:
        table.writerow(list(vars(day).values()))
    headers = {"Content-Disposition": 'attachment; filename="hilum-statistics.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)
