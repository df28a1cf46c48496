"""The console: every study, what was decided, why, and where its results are (web page and API)."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from hilum.alarms import AlarmView, alarms_now, views_of
from hilum.config.site import Site
from hilum.console.health import health_of
from hilum.console.metrics import metrics_of
from hilum.errors import HilumError
from hilum.hints import Asked, HintSender, wake_address
from hilum.module import ModuleFacts
from hilum.records import Records, views
from hilum.records.views import as_json

LONGEST_NUMBER = 10  # digits of a page


def application(site: Site, records: Records, installed: Iterable[ModuleFacts]) -> Starlette:
    """The ASGI application; it reads, and passes on the hint that an archive has something new."""
    wakers = {
        source.name: HintSender(wake_address(site.data, source.name)) for source in site.source
    }
    facts = [vars(module) for module in installed]

    async def studies(request: Request) -> Response:
        number = request.query_params.get("page", "1")
        if not (number.isdecimal() and len(number) < LONGEST_NUMBER):
            return JSONResponse({"error": "page must be a whole number"}, status_code=400)
        unfinished = request.query_params.get("unfinished") == "1"
        try:
            shown = await run_in_threadpool(views.studies, records, int(number), unfinished)
        except HilumError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        return JSONResponse(as_json(shown))

    async def page(_request: Request) -> Response:
        return HTMLResponse(files(__package__).joinpath("index.html").read_text())

    async def study(request: Request) -> Response:
        uid = request.path_params["uid"]
        try:
            view = await run_in_threadpool(views.study, records, uid)
            trace = await run_in_threadpool(views.trace, records, uid)
        except LookupError:
            return JSONResponse({"error": "no such study was received"}, status_code=404)
        return JSONResponse({**as_json(view), "trace": as_json(trace)})

    async def wake(request: Request) -> Response:
        waker = wakers.get(request.path_params["name"])
        if waker is None:
            return JSONResponse({"error": "no such source is defined"}, status_code=404)
        waker.send(Asked())
        return Response(status_code=202)

    async def modules(_request: Request) -> Response:
        return JSONResponse(facts)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/health", health_of(site, records)),
            Route("/metrics", metrics_of(site, records)),
            Route("/studies/{uid}", page),
            Route("/api/studies", studies),
            Route("/api/studies/{uid}", study),
            Route("/api/modules", modules),
            Route("/api/alarms", _showing(_alarms, site, records)),
            Route("/api/rejections", _showing(records.rejections.since)),
            Route("/api/sources", _showing(views.sources, site, records)),
            Route("/api/destinations", _showing(views.destinations, site, records)),
            Route("/api/quarantine", _showing(views.quarantine, site)),
            Route("/api/sources/{name}/wake", wake, methods=["POST"]),
        ]
    )


def _alarms(site: Site, records: Records) -> list[AlarmView]:
    return views_of(alarms_now(site, records))


def _showing(view: Callable[..., Any], *arguments: Any) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that answers with `view` of `arguments` as JSON."""

    async def show(_request: Request) -> Response:
        return JSONResponse(as_json(await run_in_threadpool(view, *arguments)))

    return show


# Connections that wait. Where no more files can be opened, asyncio tries to accept so many of them
# one after the other, once a second, and logs every failure: with uvicorn's 2048 that was 136 MB in
# a minute.
BACKLOG = 32


class _Server(uvicorn.Server):
    """Ends at once when it is told to: it only reads. So it need not look ten times a second."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        os._exit(0)

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 10  # the base class counts tenths of a second
            await asyncio.sleep(1.0)


def serve(site: Site, records: Records, installed: Iterable[ModuleFacts]) -> None:
    """Serve the console until SIGTERM."""
    server = _Server(
        uvicorn.Config(
            application(site, records, installed),
            host=site.console.host,
            port=site.console.port,
            log_config=None,
            access_log=False,  # URLs hold study UIDs, and nobody reads this log
            backlog=BACKLOG,
        )
    )
    server.run()
