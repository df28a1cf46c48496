"""The stream that tells open pages that something changed."""

import time
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse

from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.console.guard import still_admitted
from hilum.console.live import ChangeStream
from hilum.hints import gateway_address, is_abandoned
from hilum.people.roles import Permission

TICK_SECONDS = 20  # after which a page is made again even if nothing happened: it says how long ago

endpoints = pages()


@endpoints.get("/live", Permission.LOOK)
async def live(request: Request, desk: OurDesk) -> StreamingResponse:
    """Server-sent events; each has a new value when something changed."""
    changes = getattr(request.app.state, "changes", None)
    if changes is None:
        look = partial(desk.patience.answer_of, partial(_mark, desk))
        changes = request.app.state.changes = ChangeStream(look)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = changes.stream(partial(still_admitted, request, Permission.LOOK))
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _mark(desk: Desk) -> str:
    """A text that differs when what pages show differs, and whether the gateway runs."""
    gateway = "away" if is_abandoned(gateway_address(desk.site.data)) else "there"
    return f"{desk.records.flow.mark()}-{int(time.time() // TICK_SECONDS)} {gateway}"
