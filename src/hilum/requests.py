"""What people ask the running gateway for, on the command line (`asking.py` is their side)."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hilum import records as tables
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.errors import HilumError, where
from hilum.flow import Flow
from hilum.objects import write_withdrawal
from hilum.records import State


def obey(flow: Flow) -> None:
    """Do what was asked for since; doing it twice, after a crash, changes nothing."""
    for row in flow.records.find(tables.request, order_by="id", answer=None):
        try:
            answer = withdraw(flow, row["workitem_id"], row["reason"], row["at"])
        except HilumError as error:
            answer = f"not withdrawn: {error}"
        except Exception as error:  # noqa: BLE001 - one request must not stop the gateway
            answer = f"not withdrawn: {where(error)}"
        # what the person wrote may name the patient; it stands in the note and is not kept here
        flow.records.change(tables.request, {"id": row["id"]}, answer=answer, reason="")


def withdraw(flow: Flow, workitem_id: str, reason: str, at: float) -> str:
    """Take a result back: what was not sent yet is kept, a note goes wherever it may have gone.

    The note is a workitem of its own. Deliveries to one destination follow each other, so one that
    is under way comes before the note.
    """
    records = flow.records
    deliveries = records.find(tables.delivery, workitem_id=workitem_id)
    if not deliveries:
        return "not withdrawn: no result of this workitem was delivered"
    row = records.one(tables.workitem, id=workitem_id)
    flow.workitems.require_files(row)
    note_id = derived_uid(workitem_id, "withdrawal")
    if State(row["state"]) is not State.WITHDRAWN:
        records.set_state(workitem_id, State.WITHDRAWN, f"taken back by note {note_id}")
        of_note = {"id": note_id, "created": at, "inputs": {}, "verdicts": [], "findings": []}
        of_note |= {"state": State.DELIVERING.value, "reason": "a note that takes a result back"}
        of_note |= {"failure": None, "predecessor": None, "superseded_by": None}
        records.put(tables.workitem, **{**row, **of_note})
    _write_notes(flow, row, note_id, reason, at)
    for delivery in deliveries:
        flow.workitems.owe(note_id, delivery["destination"], delivery["variant"], images=False)
    names = sorted(delivery["destination"] for delivery in deliveries)
    for name in names:
        flow.enqueue_delivery(note_id, name)
    return f"withdrawn; a note goes to {', '.join(names)}"


def _write_notes(flow: Flow, row: tables.Row, note_id: str, reason: str, at: float) -> None:
    """One note for each variant of the result: a destination is told of what it received only."""
    if flow.records.find(tables.result, workitem_id=note_id):
        return
    written: dict[str, list[Instance]] = {}
    for result in flow.records.find(tables.result, workitem_id=row["id"]):
        written.setdefault(result["variant"], []).append(Instance.read(Path(result["path"])))
    analysis = replace(
        flow.workitems.analysis(row),
        workitem_id=note_id,
        created=datetime.fromtimestamp(at).astimezone(),
        predecessor=(),
    )
    for variant, results in written.items():
        flow.workitems.keep(
            note_id, "ko", write_withdrawal(analysis, results, reason, variant), variant
        )
