"""The stream that tells open pages that something changed."""

import time
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse

from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.live import stream_to
from hilum.people.roles import Permission
from hilum.processes.hints import gateway_address, is_abandoned

TICK_SECONDS = 20  # after which a page is made again even if nothing happened: it says how long ago

endpoints = pages()


@endpoints.get("/live", Permission.LOOK)
async def live(request: Request, desk: OurDesk) -> StreamingResponse:
    """Server-sent events; each has a new value when something changed."""
    look = partial(desk.patience.answer_of, partial(_mark, desk))
    return stream_to(request, "changes", look, Permission.LOOK)


def _mark(desk: Desk) -> str:
    """A text that differs when what pages show differs, and whether the gateway runs."""
    gateway = "away" if is_abandoned(gateway_address(desk.site.data)) else "there"
    return f"{desk.records.flow.mark()}-{int(time.time() // TICK_SECONDS)} {gateway}"
