"""What can be done about a study, for programs: the same acts as on its page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body, HTTPException

from hilum.console.acting import ask_at
from hilum.console.acts import OFFERED
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import RequestAction, WorkitemState

PATIENCE = 5.0  # s; a gateway that runs answers at once
LONGEST_REASON = 500  # characters; what follows is left out

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
    reason = wanted.reason.strip()[:LONGEST_REASON]
    asked = (address, wanted.workitem, wanted.action, reason, PATIENCE)
    return ActReply(*ask_at(desk, visitor, *asked))
