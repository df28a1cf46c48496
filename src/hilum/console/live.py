"""Whether something changed since a page was made: one look at the records a second for all pages.

No look is made while nobody listens. What changed is not said: pages ask again for what they show.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse

from hilum.console.guard import still_admitted
from hilum.people.roles import Permission

LOOK_SECONDS = 1.0
ALIVE_SECONDS = 5.0  # between two signs of life
ALIVE = "event: alive\ndata: -\n\n"


class ChangeStream:
    """Tells listeners of each new value of `look`, a short text.

    They are cut off when `look` raises `TimeoutError`: what they show may be out of date.
    """

    def __init__(self, look: Callable[[], Awaitable[str]], pause: float = LOOK_SECONDS) -> None:
        self._look = look
        self._pause = pause
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._value = ""
        self._task: asyncio.Task[None] | None = None

    async def stream(self, may_go_on: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
        """Server-sent events (WHATWG HTML 9.2): the value now, and each one that follows.

        It ends, at the next sign of life at the latest, when whoever listens `may_go_on` no longer.
        """
        values: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(values)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        elif self._value:
            values.put_nowait(self._value)
        try:
            yield "retry: 2000\n\n"
            while True:
                try:
                    value = await asyncio.wait_for(values.get(), ALIVE_SECONDS)
                except TimeoutError:
                    value = ""
                if value is None or not await may_go_on():
                    return
                if not value:
                    yield ALIVE  # pages say that they may be out of date when it does not come
                    continue
                yield f"data: {value}\n\n"
        finally:
            self._listeners.discard(values)

    async def _watch(self) -> None:
        self._value = ""
        while self._listeners:
            try:
                value = await self._look()
            except TimeoutError:
                self._tell(None)
                return
            if value != self._value:
                self._value = value
                self._tell(value)
            await asyncio.sleep(self._pause)

    def _tell(self, value: str | None) -> None:
        for listener in self._listeners:
            listener.put_nowait(value)


def stream_to(
    request: Request, name: str, look: Callable[[], Awaitable[str]], permission: Permission
) -> StreamingResponse:
    """Tell whoever asks of each new value of `look`, for as long as they have `permission`.

    All who ask for the stream called `name` share its looks.
    """
    streams: dict[str, ChangeStream] = request.app.state.streams
    changes = streams.setdefault(name, ChangeStream(look))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = changes.stream(partial(still_admitted, request, permission))
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
