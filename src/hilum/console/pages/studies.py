"""The page of all studies, and of one."""

from importlib.resources import files

from fastapi.responses import HTMLResponse

from hilum.console.endpoints import pages
from hilum.people.roles import Permission

endpoints = pages("Studies", place=2)


@endpoints.get("/studies", Permission.LOOK, response_class=HTMLResponse)
@endpoints.get("/studies/{uid}", Permission.LOOK, response_class=HTMLResponse)
def page() -> str:
    """The page; its script asks the API for what it shows."""
    return files("hilum.console").joinpath("index.html").read_text()
