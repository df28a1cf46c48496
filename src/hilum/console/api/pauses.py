"""What is paused: destinations, sources, worklists and modules."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body

from hilum.acts.pausing import kind_called, require_module
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.console.mishaps import told_as
from hilum.console.pausing import begin_pause, end_pause
from hilum.people.roles import Permission
from hilum.records.states import PausedKind
from hilum.records.views import as_json

endpoints = resource()


@dataclass(frozen=True)
class WantedPause:
    """What is to be paused, and why; the reason must name no patient."""

    kind: PausedKind
    name: str
    reason: str


@dataclass(frozen=True)
class PauseReply:
    """What was done, in words."""

    text: str


@endpoints.get(f"{V1}/pauses", Permission.LOOK)
def list_pauses(desk: OurDesk) -> Any:
    """What is paused, by whom, since when and why."""
    return as_json(desk.records.pauses.all())


@endpoints.post(f"{V1}/pauses", Permission.ACT, status_code=201)
def pause(desk: OurDesk, visitor: OurVisitor, wanted: Annotated[WantedPause, Body()]) -> PauseReply:
    """Pause something."""
    with told_as(404):
        if wanted.kind is PausedKind.MODULE:
            require_module(wanted.name, {module.name for module in desk.modules.facts})
        else:
            kind_called(desk.site, wanted.name, wanted.kind)
    return PauseReply(begin_pause(desk, visitor, wanted.kind, wanted.name, wanted.reason))


@endpoints.delete(f"{V1}/pauses/{{kind}}/{{name}}", Permission.ACT)
def resume(desk: OurDesk, visitor: OurVisitor, kind: PausedKind, name: str) -> PauseReply:
    """Let it go on."""
    return PauseReply(end_pause(desk, visitor, kind, name))
