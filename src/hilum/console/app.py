"""The application: every page and every resource of the API, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute

from hilum.audit import Auditor
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.console import api, mishaps, pages
from hilum.console.desk import Desk
from hilum.console.endpoints import COOKIE, TOKEN, Endpoints, found_in
from hilum.console.guard import GuardedRoute, cookie_name
from hilum.console.known import KnownModules
from hilum.console.protection import Protection
from hilum.console.rendering import Rendering
from hilum.console.uploads_door import Admission
from hilum.inbox import Inbox
from hilum.people.everybody import Everybody
from hilum.records import Records
from hilum.uploading.uploads import Uploads

NONE_KNOWN = KnownModules()
LARGEST_BODY = 1024 * 1024  # bytes; an endpoint that takes more says so with `max_body_size`


class _Application(FastAPI):
    """Describes, too, how one signs in."""

    def openapi(self) -> dict[str, Any]:
        """The description of the API (OpenAPI 3.1)."""
        described = super().openapi()
        cookie = cookie_name(self.state.desk.site.console)
        described.setdefault("components", {})["securitySchemes"] = {
            COOKIE: {"type": "apiKey", "in": "cookie", "name": cookie},
            TOKEN: {"type": "http", "scheme": "bearer"},
        }
        return described


@asynccontextmanager
async def _closing(made: FastAPI) -> AsyncIterator[None]:
    yield
    made.state.desk.uploads.close()
    made.state.desk.everybody.close()
    made.state.desk.auditor.close()


def _parts() -> list[Endpoints]:
    return [*found_in(api), *found_in(pages)]


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """To every page and resource: they know of no site, and to make them takes 0.15 s."""
    router = APIRouter(route_class=GuardedRoute, max_body_size=LARGEST_BODY)
    for endpoints in _parts():
        endpoints.add_to(router)
    return tuple(router.routes)


def application(
    site: Site,
    records: Records,
    modules: KnownModules = NONE_KNOWN,
    file: SettingsFile | None = None,
) -> FastAPI:
    """The ASGI application of one site.

    `file` is where its settings stand, None where they are not to be changed.
    """
    made = _Application(
        title="Hilum",
        version=version("hilum"),
        description="The AI gateway for the hospital imaging network. "
        "Research use only, not for diagnosis.",
        openapi_url=f"{api.V1}/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_closing,
        max_body_size=LARGEST_BODY,
    )
    made.router.route_class = GuardedRoute
    menu = [entry for endpoints in _parts() for entry in endpoints.menu()]
    everybody = Everybody(site.data, site.console)
    auditor = Auditor(site.data)
    uploads = Uploads(site.data, Admission(records, auditor, Inbox(site.data)))
    shared = (Rendering(menu), everybody, auditor, uploads)
    made.state.desk = Desk(site, records, modules, *shared, file)
    made.state.streams = {}  # of changes, by name
    mishaps.add_to(made)
    made.add_middleware(Protection, console=site.console)  # the last one is around the others
    made.router.routes.extend(_routes())
    made.mount("/static", StaticFiles(packages=[(__package__, "static")]))
    return made
