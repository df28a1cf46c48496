"""The page Settings: every setting as Hilum works by it, and the line of the file that sets it."""

import platform
from importlib.metadata import version

from fastapi import Request
from fastapi.responses import HTMLResponse

from hilum.config.masking import masked
from hilum.config.running import running
from hilum.console.desk import Desk, OurDesk
from hilum.console.endpoints import pages
from hilum.people.roles import Permission
from hilum.records import records_url

endpoints = pages("Settings", place=14)


@endpoints.get("/settings", Permission.CONFIGURE, response_class=HTMLResponse)
def settings(request: Request, desk: OurDesk, only: str = "") -> HTMLResponse:
    """The page; `only` is "set" where what has its default is left out."""
    newest = desk.versions.newest()
    return desk.rendering.page(
        request,
        "settings.html",
        sections=running(desk.site, newest.text if newest else ""),
        only_set=only == "set",
        facts=_facts(desk),
        file=desk.file,
        newest=newest,
        read_only=desk.file.why_read_only() if desk.file else "",
        refusals=desk.versions.refusals(),
    )


def _facts(desk: Desk) -> list[tuple[str, str]]:
    """Where things lie, and which versions run."""
    site = desk.site
    return [
        ("Settings file", str(desk.file.path) if desk.file else "none: they were given otherwise"),
        ("Data folder", str(site.data.resolve())),
        ("Records", masked(records_url(site))),
        ("Log", str(site.data.resolve() / "logs" / "hilum.log")),
        ("Hilum", version("hilum")),
        ("Python", platform.python_version()),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]
