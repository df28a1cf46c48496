"""What can be done about a study, for programs: the same acts as on its page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body

from hilum.console.acting import WantedAct, ask_at
from hilum.console.acts import OF_STUDY, acts_on
from hilum.console.api import V1
from hilum.console.desk import OurDesk
from hilum.console.endpoints import resource
from hilum.console.guard import OurVisitor
from hilum.console.looking import study_at
from hilum.people.roles import Permission
from hilum.records import views
from hilum.records.states import RequestAction, WorkitemState

PATIENCE = 5.0  # s; a gateway that runs answers at once

endpoints = resource()


@dataclass(frozen=True)
class ActReply:
    """Whether it was done, or noted for later, and what the gateway says."""

    done: bool
    text: str
    request: int


@dataclass(frozen=True)
class OfferedAct:
    """What can be done with a workitem as it is now, or with the whole study.

    `workitem` and `module` are "", and `state` is None, where it is the study.
    """

    workitem: str
    module: str
    state: WorkitemState | None
    actions: tuple[RequestAction, ...]


@endpoints.get(f"{V1}/studies/{{address}}/acts", Permission.ACT)
def list_acts(desk: OurDesk, address: str) -> list[OfferedAct]:
    """What can be done with the study at this address, and with its workitems."""
    study = study_at(desk, address)
    items = [
        OfferedAct(item.id, item.module, item.state, tuple(a.action for a in acts_on(item)))
        for item in views.study(desk.records, study.study_uid).workitems
        if item.superseded_by is None
    ]
    return [OfferedAct("", "", None, tuple(act.action for act in OF_STUDY)), *items]


@endpoints.post(f"{V1}/studies/{{address}}/acts", Permission.ACT)
def act(
    desk: OurDesk, visitor: OurVisitor, address: str, wanted: Annotated[WantedAct, Body()]
) -> ActReply:
    """Ask the gateway to do something with the study at this address, or a workitem of it."""
    return ActReply(*ask_at(desk, visitor, address, wanted, PATIENCE))
