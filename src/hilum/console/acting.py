"""Asks the gateway for what a person wants, after it is on record who wants it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

from fastapi import HTTPException, Path
from pydantic import StringConstraints

from hilum.asking import answer_to, audited_fetch, request, said
from hilum.audit import AuditedAct, AuditedObject, AuditOutcome
from hilum.console.acts import OF_STUDY, StudyAct, acts_on, called
from hilum.console.desk import Desk
from hilum.console.looking import study_at
from hilum.people.visitor import Visitor
from hilum.records import views
from hilum.records.listed import ListedStudy
from hilum.records.models.requests import Request, Wish
from hilum.records.states import RequestAction
from hilum.why.archives import archives_of

LONGEST_REASON = 500  # characters

Id = Annotated[str, StringConstraints(max_length=64)]
RequestNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


@dataclass(frozen=True)
class WantedAct:
    """What is to be done with a workitem, or with the whole study where none is named.

    To take a result back needs a `reason`; to run a module needs its name in `module`, and may have
    `destinations`, without which its result stays here; to send a result on needs `destinations`,
    and `images` sends the analysed images along.
    """

    action: RequestAction
    workitem: Id = ""
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_REASON)] = ""
    module: Id = ""
    destinations: tuple[Id, ...] = ()
    images: bool = False

    @property
    def wish(self) -> Wish:
        """What the person chose."""
        return Wish(self.module, self.destinations, self.images)


class GatewayReply(NamedTuple):
    """What the gateway says to request `number`, and whether it did it, or will."""

    done: bool
    text: str
    number: int


def ask_for(
    desk: Desk,
    visitor: Visitor,
    study: ListedStudy,
    wanted: WantedAct,
    patience: float = 0.0,
) -> GatewayReply:
    """What the gateway says within `patience` s; what it refuses is on record, too.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    uid, item = study.study_uid, wanted.workitem
    about = AuditedObject.workitem(item, uid) if item else AuditedObject.study(uid)
    done = (AuditedAct(wanted.action.value), visitor, about)
    desk.auditor.note(*done, study.patient_id, said(wanted.reason, wanted.wish), AuditOutcome.ASKED)
    asked = (item, wanted.reason, uid, wanted.wish)
    number = request(desk.records, desk.site.data, wanted.action, *asked)
    reply = GatewayReply(*answer_to(desk.records, number, patience), number)
    if not reply.done:
        desk.auditor.note(*done, study.patient_id, reply.text, AuditOutcome.FAILED)
    return reply


def ask_for_each(
    desk: Desk, visitor: Visitor, action: RequestAction, workitems: Iterable[str], wish: Wish
) -> int:
    """Ask for the same with each of several workitems, by id; how many. Each is on record before.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, so it, and what follows, is not done.
    """
    number = 0
    for number, workitem in enumerate(workitems, 1):  # noqa: B007 - it is the answer
        study_uid = desk.records.workitems.one(workitem).study_uid
        about = AuditedObject.workitem(workitem, study_uid)
        patient = desk.records.identifiers.patient_of(study_uid)
        desk.auditor.note(AuditedAct(action.value), visitor, about, patient, str(wish))
        request(desk.records, desk.site.data, action, workitem, wish=wish)
    return number


def ask_at(
    desk: Desk, visitor: Visitor, address: str, wanted: WantedAct, patience: float
) -> GatewayReply:
    """The same for the study at `address` or a workitem of it, if it is offered now.

    Raises
    ------
    HTTPException
        404: there is no such study or workitem; 409: not in this state; 422: something is missing.
    """
    study = study_at(desk, address)
    if act := called(OF_STUDY, wanted.action):
        wanted = replace(wanted, workitem="")
    else:
        items = views.study(desk.records, study.study_uid).workitems
        item = next((item for item in items if item.id == wanted.workitem), None)
        if item is None:
            raise HTTPException(404, "this study has no such workitem")
        act = called(acts_on(item), wanted.action)
        if act is None:
            raise HTTPException(409, f"it is {item.state} now: look at it again")
    if missing := _missing(act, wanted):
        raise HTTPException(422, missing)
    return ask_for(desk, visitor, study, wanted, patience)


def _missing(act: StudyAct, wanted: WantedAct) -> str:
    """What the person has to say besides; "" if that is nothing."""
    if act.needs_reason and not wanted.reason:
        return "say the reason: people read it in the archive"
    if len(wanted.reason) > LONGEST_REASON:
        return f"the reason has more than {LONGEST_REASON} characters: shorten it"
    if act.chooses_module and not wanted.module:
        return "choose a module"
    if act.chooses_destinations and not act.chooses_module and not wanted.destinations:
        return "choose a destination"
    return ""


def fetch_from(desk: Desk, visitor: Visitor, archive: str, wanted: str) -> int:
    """Have a study fetched from an archive; the number of the request.

    `wanted` is an accession number or a Study Instance UID.

    Raises
    ------
    HTTPException
        404: nothing can be fetched from an archive that is called so.
    """
    if archive not in fetched_from(desk):
        raise HTTPException(404, "nothing can be fetched from an archive that is called so")
    about, chosen = audited_fetch(desk.site, archive, wanted)
    desk.auditor.note(AuditedAct.FETCH, visitor, about, reason=chosen)
    action, wish = RequestAction.FETCH, Wish(archive=archive)
    return request(desk.records, desk.site.data, action, "", wanted, wish=wish)


def fetch_asked(desk: Desk, number: int) -> Request:
    """The request `number`, by which somebody had a study fetched; 404 if there is none."""
    try:
        asked = desk.records.requests.one(number)
    except LookupError:
        asked = None
    if asked is None or asked.action is not RequestAction.FETCH:
        raise HTTPException(404, "nothing was fetched under this number")
    return asked


def fetched_from(desk: Desk) -> list[str]:
    """The archives from which a study can be fetched."""
    return [one.name for one in archives_of(desk.site) if one.can_be_fetched_from]
