"""What can be done about a study, for programs: the same acts as on its page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body, HTTPException

from hilum.console.acting import ask_for
from hilum.console.acts import OFFERED
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import RequestAction, WorkitemState

PATIENCE = 5.0  # s; a gateway that runs answers at once

endpoints = resource()


@dataclass(frozen=True)
class WantedAct:
    """What is to be done with a workitem; to take a result back needs a reason."""

    workitem: str
    action: RequestAction
    reason: str = ""


@dataclass(frozen=True)
class ActReply:
    """Whether it was done, or noted for later, and what the gateway says."""

    done: bool
    text: str
    request: int


@dataclass(frozen=True)
class OfferedAct:
    """What can be done with a workitem as it is now."""

    workitem: str
    module: str
    state: WorkitemState
    actions: tuple[RequestAction, ...]


@endpoints.get(f"{V1}/studies/{{address}}/acts", Permission.ACT)
def list_acts(desk: OurDesk, address: str) -> list[OfferedAct]:
    """What can be done with the workitems of the study at this address."""
    listed = desk.records.search.at(address)
    if listed is None:
        raise HTTPException(404, "there is no study at this address")
    return [
        OfferedAct(item.id, item.module, item.state, tuple(a.action for a in OFFERED[item.state]))
        for item in views.study(desk.records, listed.study_uid).workitems
        if item.superseded_by is None
    ]


@endpoints.post(f"{V1}/studies/{{address}}/acts", Permission.ACT)
def act(
    desk: OurDesk, visitor: OurVisitor, address: str, wanted: Annotated[WantedAct, Body()]
) -> ActReply:
    """Ask the gateway to do something with a workitem of the study at this address."""
    listed = desk.records.search.at(address)
    items = views.study(desk.records, listed.study_uid).workitems if listed else ()
    item = next((item for item in items if item.id == wanted.workitem), None)
    if listed is None or item is None:
        raise HTTPException(404, "the study at this address has no such workitem")
    offered = next((a for a in OFFERED[item.state] if a.action is wanted.action), None)
    if offered is None:
        raise HTTPException(409, f"it is {item.state} now, so this cannot be done")
    reason = wanted.reason.strip()[:500]
    if offered.needs_reason and not reason:
        raise HTTPException(422, "say the reason: people read it in the archive")
    reply = ask_for(desk, visitor, listed, item, offered, reason, PATIENCE)
    return ActReply(*reply)
