"""The page about this installation: its version, what is installed, and under which licences."""

import time
from importlib.metadata import version

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from hilum.console.desk import OurDesk
from hilum.console.endpoints import pages
from hilum.inventory import components, hilum_itself
from hilum.people.roles import Permission
from hilum.sbom import sbom

endpoints = pages("About", place=20)


@endpoints.get("/about", Permission.LOOK, response_class=HTMLResponse)
def about(request: Request, desk: OurDesk) -> HTMLResponse:
    """The page."""
    return desk.rendering.page(
        request, "about.html", version=version("hilum"), components=components()
    )


@endpoints.get("/about/sbom.json", Permission.LOOK)
def bill_of_materials() -> JSONResponse:
    """The bill of materials in CycloneDX, as `hilum sbom` prints it."""
    return JSONResponse(sbom(hilum_itself(), components(), time.time()))
