"""How a person's request reaches the running gateway: a row in the records, and a hint."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from hilum.audit.entry import AuditedObject, ObjectType
from hilum.config.site import Site
from hilum.dicom.doubt import held_for
from hilum.dicom.uids import is_uid
from hilum.errors import HilumError
from hilum.processes.hints import Asked, HintSender, gateway_address
from hilum.records import Records
from hilum.records.models.requests import Wish
from hilum.records.models.workitems import Workitem
from hilum.records.requests import NOTHING_CHOSEN
from hilum.records.states import DELIVERED, UNFINISHED, WITHOUT_RUN, RequestAction, WorkitemState
from hilum.records.views import studies_named, study_called
from hilum.why.question import LONGEST

MOST_AT_ONCE = 1000  # studies that are fetched
SEPARATORS = re.compile(r"[\n\r\t,;]+")  # an accession number may hold a space
PATIENCE = 10.0  # seconds; a gateway that runs answers at once
DONE_TO = {  # in which states a workitem is meant where only its study is named
    RequestAction.RELEASE: (WorkitemState.PARKED,),
    RequestAction.BEGIN: (WorkitemState.SCHEDULED,),
    RequestAction.CANCEL: (*UNFINISHED, WorkitemState.DELIVERING, WorkitemState.HELD),
    RequestAction.WITHDRAW: DELIVERED,
    RequestAction.SEND_ON: DELIVERED,
}
ELSE_TO = {RequestAction.CANCEL: (WorkitemState.FAILED,)}  # where none is in those states
HAVE_NO_RESULT = (*WITHOUT_RUN, WorkitemState.FAILED, WorkitemState.CANCELLED)
NOTED = "noted; the gateway will do it when it runs and has time"
UNDER_WAY = "the gateway goes on with it by itself"


def request(
    records: Records,
    data: Path,
    action: RequestAction,
    workitem_id: str,
    reason: str = "",
    study_uid: str = "",
    wish: Wish = NOTHING_CHOSEN,
) -> int:
    """Have the gateway asked for something; the number of the request."""
    number = records.requests.add(action, workitem_id, reason, study_uid, wish)
    wake(data)
    return number


def wake(data: Path) -> None:
    """Have the gateway look at once what it is asked for."""
    with closing(HintSender(gateway_address(data))) as hints:
        hints.send(Asked())


def answer_to(records: Records, number: int, patience: float = PATIENCE) -> tuple[bool, str]:
    """Whether the gateway did it, and its answer; what it does not do in `patience` s comes later.

    That may be because it does not run, or is busy.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        asked = records.requests.one(number)
        if asked.answer:
            return asked.done, asked.answer
        time.sleep(0.05)
    return True, NOTED


def progress_of(
    records: Records, number: int, patience: float = PATIENCE
) -> Iterator[tuple[bool, str]]:
    """How far request `number` is, whenever that changes; its answer is the last.

    It ends after `patience` s without any news: the gateway does not run, or does it later.
    """
    last = ""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        asked = records.requests.one(number)
        if asked.answer:
            yield asked.done, asked.answer
            return
        if asked.progress != last:
            last, deadline = asked.progress, time.monotonic() + patience
            yield True, last
        time.sleep(0.05)
    yield True, UNDER_WAY if last else NOTED


def ask(
    records: Records,
    data: Path,
    action: RequestAction,
    workitem_id: str,
    reason: str = "",
    patience: float = PATIENCE,
    study_uid: str = "",
    wish: Wish = NOTHING_CHOSEN,
) -> tuple[bool, str]:
    """The same in one go."""
    asked = (action, workitem_id, reason, study_uid, wish)
    return answer_to(records, request(records, data, *asked), patience)


def said(reason: str, wish: Wish) -> str:
    """Why a person asks for something and what was chosen with it, as the audit trail has it."""
    return "; ".join(filter(None, (reason, str(wish))))


def studies_typed(text: str) -> list[str]:
    """The accession numbers and Study Instance UIDs in a list that somebody typed, each once.

    One a line, or with commas between them.

    Raises
    ------
    HilumError
        There is none, one is too long to be one, or there are too many for one list.
    """
    found = list(dict.fromkeys(filter(None, map(str.strip, SEPARATORS.split(text)))))
    if not found:
        raise HilumError("name a study: an accession number, or a Study Instance UID")
    if too_long := [one for one in found if len(one) > LONGEST]:
        raise HilumError(
            f"a line of the list has {len(too_long[0])} characters, and no accession number and no"
            f" UID has more than {LONGEST}: write one a line, or commas between them"
        )
    if len(found) > MOST_AT_ONCE:
        most = f"at most {MOST_AT_ONCE} studies are fetched at once"
        raise HilumError(f"{most}, and these are {len(found)}: make several lists")
    return found


def audited_fetch(site: Site, archive: str, wanted: str) -> tuple[AuditedObject, str]:
    """What a fetch is about, as the audit trail has it, and what was chosen with it.

    `wanted` is a Study Instance UID or an accession number.
    """
    is_source = archive in {source.name for source in site.source}
    kind = ObjectType.SOURCE if is_source else ObjectType.DESTINATION
    if is_uid(wanted):
        return AuditedObject(kind, archive, wanted), ""
    return AuditedObject(kind, archive), f"accession number {wanted}"


def workitem_ending(records: Records, ending: str) -> str:
    """The id of the one workitem whose id ends so; "" if none does.

    Raises
    ------
    HilumError
        There are several, or a study is called so, too: an accession number may be the end of the
        id of another patient's workitem.
    """
    found = records.workitems.ids_ending(ending)
    if len(found) > 1:
        raise HilumError(f"several workitems end in {ending}; `hilum status` shows them")
    if found and found != [ending] and studies_named(records, ending):
        raise HilumError(
            f"a workitem ends in {ending}, and it is an accession number, too: name the study by"
            " its address (`hilum find`), or the workitem by more of its id"
        )
    return found[0] if found else ""


def workitem_meant(records: Records, wanted: str, action: RequestAction) -> str:
    """The id of the workitem that ends so, or of the one of a study that `action` can be done to.

    Raises
    ------
    HilumError
        There is none, or there are several; the text names them.
    """
    if found := workitem_ending(records, wanted):
        return found
    items = current_of_study(records, wanted)
    able = [item for item in items if item.state in DONE_TO[action]]
    able = able or [item for item in items if item.state in ELSE_TO.get(action, ())]
    if action is not RequestAction.RELEASE:  # a note that takes a result back is only sent again
        able = [item for item in able if item.is_run]
    if not able:
        raise HilumError(f"this study has nothing to {action}; `hilum status` shows how it stands")
    return the_one_of(able)


def current_of_study(records: Records, wanted: str) -> list[Workitem]:
    """The workitems of the study that is called so which no other has replaced."""
    items = records.workitems.of_study(study_called(records, wanted))
    return [item for item in items if item.superseded_by is None]


def the_one_of(items: Sequence[Workitem]) -> str:
    """The id of the only one of `items`; `HilumError`, which names them, if there are several."""
    if len(items) == 1:
        return items[0].id
    which = ", ".join(f"{item.id[-8:]} of {item.module}" for item in items)
    raise HilumError(f"several are meant, so name one of these workitems: {which}")


def to_be_tried_again(records: Records, ending: str) -> list[str]:
    """The workitem whose id ends so, or what gave no result of the study whose UID does."""
    if one := workitem_ending(records, ending):
        return [one]
    current = current_of_study(records, ending)
    found = [item.id for item in current if item.failure or item.state in HAVE_NO_RESULT]
    if not found:
        raise HilumError("nothing of this study can be tried again; `hilum status` shows it")
    return found


def to_be_decided(records: Records, study_uid: str, anyway: bool) -> str:
    """The id of a workitem of the study for which a person has to say whose its images are.

    Or of its last one `anyway`, because they are to be exchanged.
    """
    sent = anyway or records.corrections.is_open(study_uid)
    for item in reversed(records.workitems.of_study(study_uid)):
        is_held = item.state is WorkitemState.HELD and held_for(item.reason)
        if sent or is_held:
            return item.id
    raise HilumError("nothing of this study waits for a decision; `hilum status` shows what does")
