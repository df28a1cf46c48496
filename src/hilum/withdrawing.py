"""How a result is taken back: a rejection note goes wherever it went."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.flow import Flow
from hilum.objects import write_withdrawal
from hilum.records import tables
from hilum.records.states import OWED, REACHED_FROM, Delivery, State
from hilum.runs import withdrawal_uid


class Answer(NamedTuple):
    """Whether it was done, and what a person is told."""

    done: bool
    text: str


@dataclass(frozen=True)
class Note:
    """What a rejection note says: when (seconds since 1970), why in words, and as a code."""

    at: float
    reason: str
    title: Code = codes.REJECTED_FOR_PATIENT_SAFETY


def withdraw(flow: Flow, row: tables.Row, asked: tables.Row) -> Answer:
    """Take a result back, as a person asked and says why."""
    return take_back(flow, row, Note(asked["at"], asked["reason"]))


def take_back(flow: Flow, row: tables.Row, said: Note) -> Answer:
    """Take a result back: what was not sent yet is held back, a note goes wherever it may be.

    The note is a workitem of its own. Deliveries to one destination follow each other, so one that
    is under way comes before the note.
    """
    records = flow.records
    deliveries = records.find(tables.delivery, workitem_id=row["id"])
    if not deliveries:
        return Answer(False, "not withdrawn: no result of this workitem was delivered")
    if State(row["state"]) not in (*REACHED_FROM[State.WITHDRAWN], State.WITHDRAWN):
        return Answer(False, f"not withdrawn: it is {row['state']}")
    names = ", ".join(sorted(delivery["destination"] for delivery in deliveries))
    answer = Answer(True, f"withdrawn; a note goes to {names}")
    if State(row["state"]) is State.WITHDRAWN:
        return answer
    flow.workitems.require_files(row)
    note_id = withdrawal_uid(row["id"])
    _write_notes(flow, row, note_id, said)
    of_note = {"id": note_id, "created": said.at, "inputs": {}, "verdicts": [], "findings": []}
    of_note |= {"state": State.DELIVERING, "reason": "a note that takes a result back"}
    of_note |= {"failure": None, "predecessor": None, "superseded_by": None}
    owed = [
        flow.outbox.owed(note_id, delivery["destination"], delivery["variant"], images=False)
        for delivery in deliveries
    ]
    together = [(tables.workitem, {**row, **of_note}), *owed]
    text = f"taken back by note {note_id}"
    records.set_state(row["id"], State.WITHDRAWN, text, together=together)
    key = {"workitem_id": row["id"], "state": (*OWED, Delivery.REFUSED)}
    records.change(
        tables.delivery, key, state=Delivery.CANCELLED, reason="the result was taken back"
    )
    flow.outbox.wake()
    return answer


def _write_notes(flow: Flow, row: tables.Row, note_id: str, said: Note) -> None:
    """One note for each variant of the result: a destination is told of what it received only."""
    written: dict[str, list[Instance]] = {}
    for result in flow.records.find(tables.result, workitem_id=row["id"]):
        written.setdefault(result["variant"], []).append(Instance.read(Path(result["path"])))
    analysis = replace(
        flow.workitems.analysis(row),
        workitem_id=note_id,
        created=datetime.fromtimestamp(said.at).astimezone(),
        predecessor=(),
    )
    for variant, results in written.items():
        note = write_withdrawal(analysis, results, said.reason, variant, said.title)
        flow.workitems.keep(note_id, "ko", note, variant)
