"""The application: every page and every resource of the API, put together."""

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from hilum.config.site import Site
from hilum.console import api, pages
from hilum.console.desk import Desk
from hilum.console.endpoints import found_in
from hilum.console.rendering import Rendering
from hilum.module import ModuleFacts
from hilum.records import Records


def application(site: Site, records: Records, installed: Iterable[ModuleFacts]) -> FastAPI:
    """The ASGI application of one site."""
    made = FastAPI(
        title="Hilum",
        version=version("hilum"),
        description="The AI gateway for the hospital imaging network. "
        "Research use only, not for diagnosis.",
        openapi_url=f"{api.V1}/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
    )
    parts = [*found_in(api), *found_in(pages)]
    menu = [entry for endpoints in parts for entry in endpoints.menu()]
    made.state.desk = Desk(site, records, tuple(installed), Rendering(menu))
    for endpoints in parts:
        endpoints.add_to(made)
    made.mount("/static", StaticFiles(packages=[(__package__, "static")]))
    return made
