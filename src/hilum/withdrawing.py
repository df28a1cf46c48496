"""How a result is taken back: a rejection note goes wherever it went."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.flow import Flow
from hilum.objects import Document, write_withdrawal
from hilum.records.models import Request, Workitem
from hilum.records.states import REACHED_FROM, WorkitemKind, WorkitemState
from hilum.results import DICOM
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


def withdraw(flow: Flow, item: Workitem, asked: Request) -> Answer:
    """Take a result back, as a person asked and says why."""
    return take_back(flow, item, Note(asked.at, asked.reason))


def take_back(flow: Flow, item: Workitem, said: Note) -> Answer:
    """Take a result back: what was not sent yet is held back, a note goes wherever it may be.

    The note is a workitem of its own. Deliveries to one destination follow each other, so one that
    is under way comes before the note.
    """
    deliveries = flow.records.deliveries.of_workitem(item.id)
    if not deliveries:
        return Answer(False, "not withdrawn: no result of this workitem was delivered")
    if item.state not in (*REACHED_FROM[WorkitemState.WITHDRAWN], WorkitemState.WITHDRAWN):
        return Answer(False, f"not withdrawn: it is {item.state}")
    names = ", ".join(sorted(delivery.destination for delivery in deliveries))
    answer = Answer(True, f"withdrawn; a note goes to {names}")
    if item.state is WorkitemState.WITHDRAWN:
        return answer
    flow.workitems.require_files(item)
    note = replace(
        item,
        id=withdrawal_uid(item.id),
        kind=WorkitemKind.WITHDRAWAL,
        state=WorkitemState.DELIVERING,
        reason="a note that takes a result back",
        created=said.at,
        inputs={},
        verdicts=(),
        failure=None,
        predecessor=None,
        superseded_by=None,
        findings=(),
    )
    _write_notes(flow, item, note, said)
    owed = [
        flow.outbox.owed(note.id, delivery.destination, delivery.variant, images=False)
        for delivery in deliveries
    ]
    flow.records.workitems.withdraw(item, note, owed)
    flow.outbox.wake()
    return answer


def _write_notes(flow: Flow, item: Workitem, note: Workitem, said: Note) -> None:
    """One note for each variant of the result: a destination is told of what it received only."""
    written: dict[str, list[Instance]] = {}
    for result in flow.records.results.of_workitem(item.id):
        file = flow.site.data / result.path
        written.setdefault(result.variant, []).append(Instance.read(file))
    analysis = replace(
        flow.workitems.analysis(item),
        workitem_id=note.id,
        created=datetime.fromtimestamp(said.at).astimezone(),
        predecessor=(),
    )
    for variant, results in written.items():
        dataset = write_withdrawal(analysis, results, said.reason, variant, said.title)
        document = Document("ko", DICOM, str(dataset.SOPInstanceUID), dataset)
        flow.workitems.keep(note.id, document, variant)
