"""How a result is taken back: a rejection note goes wherever it went."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from pydicom.sr.coding import Code

from hilum.acts.pausing import waiting_for
from hilum.acts.taken import arrived_at, settle_notes, stop_telling
from hilum.config.fields import JSONValues
from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.objects import Analysis, Document, write_other_withdrawals, write_withdrawal
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import REACHED_FROM, WorkitemKind, WorkitemState
from hilum.results import DICOM
from hilum.study.flow import Flow
from hilum.study.outbox import NOTES
from hilum.study.predecessors import contents_of
from hilum.study.runs import withdrawal_uid
from hilum.study.writing import tell_lost


class RequestAnswer(NamedTuple):
    """Whether a request was done, and what the person is told.

    `rest` is what the person has to do besides, "" if that is nothing; `text` ends with it.
    """

    done: bool
    text: str
    rest: str = ""


@dataclass(frozen=True)
class PartialNote:
    """A note that takes some objects of a result back at one destination.

    `kinds` are those of the objects that it takes back. `rest` is what a person has to do about
    the others.
    """

    note: Workitem
    owed: Delivery
    kinds: frozenset[str]
    rest: str


@dataclass(frozen=True)
class RejectionNote:
    """What a rejection note says: when (seconds since 1970), why in words, and as a code.

    The `reason` is what a person says, or a `WithdrawalReason`, which is said in the language of
    whoever reads it.
    """

    at: float
    reason: str
    title: Code = codes.REJECTED_FOR_PATIENT_SAFETY


def withdraw(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Take a result back, as a person asked and says why."""
    return take_back(flow, item, RejectionNote(asked.at, asked.reason))


def take_back(flow: Flow, item: Workitem, said: RejectionNote) -> RequestAnswer:
    """Take a result back: what was not sent yet stays here, and a note goes wherever it may be.

    The note is a workitem of its own. To each destination it names only what may be there: there
    are archives that refuse it whole if it names anything else. It also takes back what was told
    there of readers. Deliveries to one destination follow each other, so one that is under way
    comes before the note.
    """
    if item.kind.is_note:
        return RequestAnswer(False, "not withdrawn: it is itself a note about a result")
    deliveries = flow.records.deliveries.of_workitem(item.id)
    if not deliveries:
        return RequestAnswer(False, "not withdrawn: no result of this workitem was delivered")
    if item.state not in (*REACHED_FROM[WorkitemState.WITHDRAWN], WorkitemState.WITHDRAWN):
        return RequestAnswer(False, f"not withdrawn: it is {item.state}")
    if item.state is WorkitemState.WITHDRAWN:
        return _told(flow, item)
    flow.workitems.require_files(item)
    # Before we look what is there: from then on nothing new is sent.
    flow.records.deliveries.cancel(item, "the result is taken back")
    stop_telling(flow, item)
    there = [arrived_at(flow, delivery) for delivery in deliveries]
    if not any(there):
        flow.records.moves.withdraw_here(item, "taken back before any of it was sent")
        settle_notes(flow, item)
        return _told(flow, item)
    note = _note_of(item, withdrawal_uid(item.id), said)
    wishes = {
        some[0].variant: _wishes(flow, delivery.destination)
        for delivery, some in zip(deliveries, there, strict=True)
        if some
    }
    named = list(dict.fromkeys(one for some in there for one in some))
    noted = _write_notes(flow, item, note, said, named, wishes)
    owed = [
        flow.outbox.owed(note.id, delivery.destination, some[0].variant, images=False)
        for delivery, some in zip(deliveries, there, strict=True)
        if some and some[0].variant in noted
    ]
    flow.records.moves.withdraw(item, note, owed)
    settle_notes(flow, item)
    flow.outbox.wake()
    return _told(flow, item)


def _wishes(flow: Flow, destination: str) -> JSONValues:
    """The settings that the objects of a destination are written by; none if it has no settings."""
    return next((one.wishes for one in flow.site.destination if one.name == destination), {})


def take_back_some(
    flow: Flow,
    item: Workitem,
    destination: str,
    results: Sequence[WrittenResult],
    said: RejectionNote,
) -> PartialNote:
    """Write a note that takes `results` of a workitem back at one destination.

    It is not on record yet, and nothing is changed of the workitem.
    """
    of_which = sorted(result.identity for result in results)
    note = _note_of(item, derived_uid(item.id, "withdrawal", destination, *of_which), said)
    some = [replace(r, variant=destination) for r in results]
    _write_notes(flow, item, note, said, some, {destination: _wishes(flow, destination)})
    owed = flow.outbox.owed(note.id, destination, destination, images=False)
    answered = {result.kind for result in flow.records.results.of_workitem(note.id)}
    left = {r.kind for r in results if r.media_type != DICOM} - answered
    kinds = frozenset(result.kind for result in results) - left
    return PartialNote(note, owed, kinds, _left(left, destination))


def _note_of(item: Workitem, note_id: str, said: RejectionNote) -> Workitem:
    """The workitem whose result is the note."""
    return note_about(item, note_id, WorkitemKind.WITHDRAWAL, said.at)


def note_about(item: Workitem, note_id: str, kind: WorkitemKind, at: float) -> Workitem:
    """A note about the result of a run, made at time `at` (s since 1970)."""
    return replace(
        item,
        id=note_id,
        kind=kind,
        about=item.id,
        state=WorkitemState.DELIVERING,
        reason=NOTES[kind],
        created=at,
        inputs={},
        used={},
        priors={},
        verdicts=(),
        failure=None,
        predecessor=None,
        superseded_by=None,
        findings=(),
    )


def _told(flow: Flow, item: Workitem) -> RequestAnswer:
    """Who is told by the note, and what no note takes back."""
    note = withdrawal_uid(item.id)
    notes = {d.destination: d for d in flow.records.deliveries.of_workitem(note)}
    there = {
        d.destination: arrived_at(flow, d) for d in flow.records.deliveries.of_workitem(item.id)
    }
    used = _used_by_others(flow, item)
    if not any(there.values()):
        text = "withdrawn; none of it was sent, so no archive needs a note"
        return RequestAnswer(True, "; ".join(filter(None, (text, used))), used)
    told = sorted(notes)
    text = f"withdrawn; a note goes to {', '.join(told) or 'nobody'}"
    lefts = []
    for destination in sorted(there):
        variant = notes[destination].variant if destination in notes else ""
        answered = {r.kind for r in flow.records.results.of_variant(note, variant)}
        left = {r.kind for r in there[destination] if r.media_type != DICOM} - answered
        lefts.append(_left(left, destination))
    text += waiting_for(flow.records, told)
    rest = "; ".join(filter(None, (*lefts, used)))
    return RequestAnswer(True, f"{text}; {rest}" if rest else text, rest)


def _used_by_others(flow: Flow, item: Workitem) -> str:
    """What a person has to do about results of modules that were given this one's findings."""
    users = flow.composition.results_with(item)
    if not users:
        return ""
    named = ", ".join(f"{user.module} ({user.id[-8:]})" for user in users)
    cure = "withdraw that, too, or run the study again"
    return f"its findings went into the result of {named}: {cure}"


def _left(kinds: Collection[str], destination: str) -> str:
    """What a person has to do about `kinds` that no note takes back at a destination."""
    if not kinds:
        return ""
    whose = f"its {', '.join(sorted(kinds))} at {destination}"
    return f"{whose} cannot be taken back by Hilum: tell whoever reads results there"


def _notes(
    flow: Flow,
    analysis: Analysis,
    results: Sequence[WrittenResult],
    said: RejectionNote,
    lost: dict[str, str],
    wishes: JSONValues,
) -> list[Document]:
    """What takes the `results` of one variant back; why a kind cannot be is put into `lost`."""
    variant = results[0].variant
    files = (flow.site.data / r.path for r in results if r.media_type == DICOM)
    instances = [Instance.read(file) for file in files]
    others = {r.identity: r.kind for r in results if r.media_type != DICOM}
    documents = write_other_withdrawals(analysis, others, lost, said.reason, variant, wishes)
    if not instances:
        return documents
    dataset = write_withdrawal(analysis, instances, said.reason, variant, said.title)
    return [Document.of_note(dataset), *documents]


def _write_notes(
    flow: Flow,
    item: Workitem,
    note: Workitem,
    said: RejectionNote,
    some: Collection[WrittenResult],
    wishes: Mapping[str, JSONValues],
) -> set[str]:
    """One note for each variant among `some` objects of the result; `wishes` are by variant.

    Gives the variants of which there is a note: not every kind of object can be taken back.
    """
    written: dict[str, list[WrittenResult]] = {}
    for result in sorted(some, key=lambda one: (one.workitem_id != item.id, str(one.path))):
        written.setdefault(result.variant, []).append(result)
    analysis = replace(
        flow.workitems.analysis(item),
        workitem_id=note.id,
        created=datetime.fromtimestamp(said.at).astimezone(),
        predecessor=(),
        replaced=contents_of(flow.site.data, (one for one in some if one.media_type != DICOM)),
    )
    told = set()
    lost: dict[str, str] = {}
    for variant, results in written.items():
        for document in _notes(flow, analysis, results, said, lost, wishes[variant]):
            flow.workitems.keep(note.id, document, variant)
            told.add(variant)
    tell_lost(flow.records, item, lost, "could not be taken back, the others are")
    return told
