"""How a person's request reaches the running gateway: a row in the records, and a hint."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hilum.dicom.identity import held_for
from hilum.errors import HilumError
from hilum.hints import Asked, HintSender, gateway_address
from hilum.records import Records, tables
from hilum.records.states import Delivery, State
from hilum.records.views import study_called

PATIENCE = 10.0  # seconds; a gateway that runs answers at once
WITHOUT_RESULT = (State.NOT_APPLICABLE, State.HELD, State.FAILED, State.CANCELLED)
NOTED = "noted; the gateway does it when it runs and has the time"


def ask(
    records: Records,
    data: Path,
    action: str,
    workitem_id: str,
    reason: str = "",
    patience: float = PATIENCE,
) -> tuple[bool, str]:
    """Whether the gateway did it, and its answer; what it does not do in `patience` s comes later.

    That may be because it does not run, or is busy.
    """
    number = records.add_request(action, workitem_id, reason)
    with closing(HintSender(gateway_address(data))) as hints:
        hints.send(Asked())
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        row = records.one(tables.request, id=number)
        if row["answer"]:
            return row["done"], row["answer"]
        time.sleep(0.05)
    return True, NOTED


def workitem_called(records: Records, ending: str) -> str:
    """The id of the one workitem whose id ends so, as `hilum status` shows it."""
    table = tables.workitem
    query = sa.select(table.c.id).where(table.c.id.endswith(ending, autoescape=True))
    found = [row["id"] for row in records.select(query.limit(2))]
    if len(found) != 1:
        many = "several workitems end" if found else "no workitem ends"
        raise HilumError(f"{many} in {ending}; `hilum status` shows them")
    return str(found[0])


def to_be_tried_again(records: Records, ending: str) -> list[str]:
    """The workitem whose id ends so, or what gave no result of the study whose UID does."""
    table = tables.workitem
    query = sa.select(table.c.id).where(table.c.id.endswith(ending, autoescape=True))
    if records.select(query.limit(1)):
        return [workitem_called(records, ending)]
    items = records.find(table, study_uid=study_called(records, ending), superseded_by=None)
    found = [item["id"] for item in items if item["failure"] or item["state"] in WITHOUT_RESULT]
    if not found:
        raise HilumError("nothing of this study can be tried again; `hilum status` shows it")
    return found


def to_be_decided(records: Records, study_uid: str, anyway: bool) -> str:
    """The id of a workitem of the study for which a person has to say whose its images are.

    Or of its last one `anyway`, because they are to be exchanged.
    """
    sent = anyway or records.find(tables.correction, study_uid=study_uid, is_open=True)
    for row in records.find(tables.workitem, study_uid=study_uid, order_by="-created"):
        is_held = row["state"] == State.HELD and held_for(row["reason"])
        if sent or is_held:
            return str(row["id"])
    raise HilumError("nothing of this study waits for a decision; `hilum status` shows what does")


def parked(records: Records, destination: str = "") -> list[str]:
    """Ids of the workitems that a destination refused, or this destination if it is named.

    Without those that another result has replaced: they are released by name only.
    """
    key: dict[str, Any] = {"destination": destination} if destination else {}
    refused = records.find(tables.delivery, state=Delivery.REFUSED, order_by="owed_at", **key)
    ids = dict.fromkeys(row["workitem_id"] for row in refused)
    replaced = tables.workitem.c.superseded_by.is_not(None)
    outdated = {row["id"] for row in records.select(sa.select(tables.workitem).where(replaced))}
    return [workitem_id for workitem_id in ids if workitem_id not in outdated]
