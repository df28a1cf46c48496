"""An archive says that it has something new. It knows no password, and what it says is a hint."""

from contextlib import closing
from typing import Annotated

from fastapi import HTTPException, Path

from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.people.roles import Permission
from hilum.processes.hints import Asked, HintSender, wake_address

endpoints = resource()


@endpoints.post(f"{V1}/sources/{{name}}/wake", Permission.NONE, status_code=202)
def wake(desk: OurDesk, name: Annotated[str, Path(max_length=64)]) -> None:
    """Look at this source now."""
    if name not in {source.name for source in desk.site.source}:
        raise HTTPException(404, "no such source is defined")
    with closing(HintSender(wake_address(desk.site.data, name))) as waker:
        waker.send(Asked())
