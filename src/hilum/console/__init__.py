"""The console: every study, what was decided, why, and where its results are (web page and API)."""

import asyncio
import threading
from importlib.resources import files

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from hilum import views
from hilum.config import Site
from hilum.module import facts_of, installed_modules
from hilum.records import Records


def application(records: Records) -> Starlette:
    """The ASGI application; it only reads."""

    async def page(_request: Request) -> Response:
        return HTMLResponse(files(__package__).joinpath("index.html").read_text())

    async def studies(_request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(views.studies, records))

    async def study(request: Request) -> Response:
        uid = request.path_params["uid"]
        try:
            view = await run_in_threadpool(views.study, records, uid)
        except LookupError:
            return JSONResponse({"error": "no such study was received"}, status_code=404)
        return JSONResponse({**view, "trace": await run_in_threadpool(views.trace, records, uid)})

    async def modules(_request: Request) -> Response:
        return JSONResponse([vars(facts_of(module)) for module in installed_modules().values()])

    return Starlette(
        routes=[
            Route("/", page),
            Route("/studies/{uid}", page),
            Route("/api/studies", studies),
            Route("/api/studies/{uid}", study),
            Route("/api/modules", modules),
        ]
    )


def start_console(site: Site, records: Records) -> None:
    """Serve the console from a thread of this process until the process ends."""
    server = uvicorn.Server(
        uvicorn.Config(
            application(records),
            host=site.console.host,
            port=site.console.port,
            log_config=None,
            access_log=False,  # URLs hold study UIDs, and nobody reads this log
        )
    )
    threading.Thread(
        target=lambda: asyncio.run(server.serve()), name="console", daemon=True
    ).start()
