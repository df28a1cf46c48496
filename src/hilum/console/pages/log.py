"""The page Log: what the processes of the service say, by time, level, role and study."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, Field

from hilum.console import log_files
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.live import stream_to
from hilum.console.log_files import NEVER, LogFilter, LogLevel
from hilum.people.roles import Permission

PAGE = 200  # lines
ROLES = ("receiver", "source", "gateway", "worker", "console", log_files.MAIN)
MOMENT = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)?$"

endpoints = pages("Log", place=10)


class ChosenLines(BaseModel):
    """What of the log is shown: the query of the address. `study` is the address of a study."""

    level: str = Field("", pattern="^(info|warning|error|critical)?$")
    role: str = Field("", max_length=32)
    study: str = Field("", max_length=12)
    since: str = Field("", pattern=MOMENT)
    until: str = Field("", pattern=MOMENT)
    before: str = Field("", max_length=50)  # the place from which a page goes on

    def query(self, **others: str) -> str:
        """The query of the address with some of it changed."""
        return urlencode({k: v for k, v in (self.model_dump() | others).items() if v})


Chosen = Annotated[ChosenLines, Query()]


@endpoints.get("/log", Permission.ACT, response_class=HTMLResponse)
def log(request: Request, desk: OurDesk, chosen: Chosen) -> HTMLResponse:
    """The latest lines, the newest first."""
    shown = log_files.read_page(desk.site.data, _wanted(desk, chosen), PAGE, chosen.before)
    return desk.rendering.page(
        request, "log.html", shown=shown, chosen=chosen, levels=LogLevel, roles=ROLES
    )


@endpoints.get("/log/download", Permission.ACT)
def download(desk: OurDesk, chosen: Chosen) -> StreamingResponse:
    """The same as a file, from the oldest line on."""
    found: Iterator[bytes] = log_files.read_forwards(desk.site.data, _wanted(desk, chosen))
    named = {"Content-Disposition": 'attachment; filename="hilum-log.txt"'}
    return StreamingResponse(found, media_type="text/plain; charset=utf-8", headers=named)


@endpoints.get("/log/live", Permission.ACT)
async def live(request: Request, desk: OurDesk) -> StreamingResponse:
    """Server-sent events; each has a new value when the log has grown."""
    look = partial(to_thread.run_sync, log_files.mark, desk.site.data)
    return stream_to(request, "log", look, Permission.ACT)


def _wanted(desk: Desk, chosen: ChosenLines) -> LogFilter:
    words: tuple[str, ...] = ()
    if chosen.study:
        study_uid = desk.records.identifiers.study_at(chosen.study)
        if study_uid is None:
            raise HTTPException(404, "there is no study at this address")
        items = desk.records.workitems.of_study(study_uid)
        words = (study_uid, *(item.id for item in items))
    try:
        return LogFilter(
            LogLevel[chosen.level.upper()] if chosen.level else LogLevel.DEBUG,
            chosen.role,
            words,
            _moment(chosen.since, 0.0),
            _moment(chosen.until, NEVER),
        )
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, "there is no such day or time") from error


def _moment(stated: str, otherwise: float) -> float:
    return datetime.fromisoformat(stated).timestamp() if stated else otherwise
