"""Puts on record what readers say of our results in DICOM objects that are sent to us.

The receiver has kept the object like any other, and a slip that says who sent it. An object that
says nothing of a result of ours stays an ordinary one.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from hilum.assessing import LONGEST_REASON, NAMES_PATIENT, audited, fault_in, objection_to
from hilum.audit import Actor, AuditedAct, AuditedObject, Auditor, AuditOutcome, Origin
from hilum.decision import AssessmentDecision
from hilum.dicom.header import HOSTILE, text_of
from hilum.flow import Flow
from hilum.inbox.assessments import Slip, slips_in
from hilum.logs import going_on
from hilum.objects.iod.stated_assessment import StatedAssessment, says_the_same, stated_in
from hilum.records.assessed import Assessment
from hilum.records.listed import folded, words_of_name
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind

LARGEST = 64 << 20  # bytes of an object that is read; one that a reader has made is far smaller
LONGEST_NAME = 64  # characters
UNNAMED = "a person who is not named"
NOT_OURS = "it names no result of ours"
LEFT_OUT = "(the reason names the patient, so it is kept in the object only)"
DIFFERS = "the report that was verified differs from ours"
NOT_TO_COMPARE = "our report is no longer here, so nobody can tell whether it says the same"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Said:
    """One object as it came, and what it says."""

    slip: Slip
    object_uid: str
    study_uid: str
    stated: StatedAssessment

    @property
    def reader(self) -> str:
        return words_of_name(self.stated.reader)[:LONGEST_NAME].strip() or UNNAMED

    @property
    def identity(self) -> str:
        """What tells readers apart: the sender and the name, or the object if none is named."""
        named = folded(self.reader) if self.reader != UNNAMED else self.object_uid
        return f"DICOM {self.slip.caller} {named}"

    def at(self, made: float) -> float:
        """When it was said (s since 1970), of a result of a run that was `made` then.

        That cannot be before it, nor later than now.
        """
        now = time.time()
        return min(now, max(made, self.stated.at.timestamp())) if self.stated.at else now


def read_assessments(flow: Flow) -> None:
    """Read every object that has come since. One that fails is read again at the next sweep."""
    for file, slip in slips_in(flow.site.data):
        with going_on("an object that may say what a reader thinks of a result", log):
            _see_to(flow, slip)
            file.unlink(missing_ok=True)


def _see_to(flow: Flow, slip: Slip) -> None:
    path = flow.site.data / slip.path
    if not path.exists():
        log.warning("an object from %s is gone, and was not read", slip.caller)
        return
    document = _read(path)
    uid, study_uid = (text_of(document, k) for k in ("SOPInstanceUID", "StudyInstanceUID"))
    if flow.records.results.called(uid):
        return  # sent back to us
    stated = stated_in(document, flow.site.assessment.titles)
    if isinstance(stated, str):
        _tell_ordinary(flow, slip, document, stated)
        return
    said = _Said(slip, uid, study_uid, stated)
    items = list(_meant(flow, said))
    if not items:
        _tell_ordinary(flow, slip, document, NOT_OURS)
    for item in items:
        _take(flow, said, document, item)


def _read(path: Path) -> Dataset:
    """The object in a file; an empty one where it cannot be read."""
    if path.stat().st_size > LARGEST:
        return Dataset()
    try:
        return dcmread(path, stop_before_pixels=True)
    except HOSTILE:
        if not path.exists():
            raise
        return Dataset()


def _tell_ordinary(flow: Flow, slip: Slip, document: Dataset, why: str) -> None:
    """Say of a Key Object Selection why it stays an ordinary object; of reports nothing is said."""
    if text_of(document, "SOPClassUID") == KeyObjectSelectionDocumentStorage and why:
        study_uid = text_of(document, "StudyInstanceUID")
        text = f"a Key Object Selection from {slip.caller} is kept like any other object: {why}"
        flow.records.events.add_once(study_uid, EventKind.ASSESSED, text)


def _meant(flow: Flow, said: _Said) -> Iterator[Workitem]:
    """The runs of whose results it names an object, each once."""
    for workitem_id in flow.records.results.workitems_with(said.stated.names):
        item = flow.records.workitems.get(workitem_id)
        if item and item.is_run:
            yield item


def _take(flow: Flow, said: _Said, document: Dataset, item: Workitem) -> None:
    """Put on record what is said of the result of one run, unless that was done before."""
    known = flow.records.assessments.of_object(said.object_uid)
    if any(one.workitem_id == item.id for one in known):
        return
    decision = said.stated.decision or _compared(flow, said, document, item)
    why = objection_to(item) or ("" if decision else NOT_TO_COMPARE)
    made = None
    if not why and decision:
        made = _on_record(flow, said, item, decision)
    if made is None:
        text = f"what an object from {said.slip.caller} says of {item.module} {item.version}"
        text = f"{text} does not count: {why or 'the result has changed meanwhile'}"
        flow.records.events.add_once(item.study_uid, EventKind.ASSESSED, text)


def _compared(
    flow: Flow, said: _Said, document: Dataset, item: Workitem
) -> AssessmentDecision | None:
    """What it means that a report of ours was verified; None if ours is no longer here."""
    for result in flow.records.results.of_workitem(item.id):
        path = flow.site.data / result.path
        if result.identity in said.stated.names and path.exists():
            same = says_the_same(_read(path), document)
            return AssessmentDecision.ACCEPTED if same else AssessmentDecision.SUPPLEMENTED
    return None


def _on_record(
    flow: Flow, said: _Said, item: Workitem, decision: AssessmentDecision
) -> Assessment | None:
    study = flow.records.search.of([item.study_uid])[item.study_uid]
    differs = decision is AssessmentDecision.SUPPLEMENTED and said.stated.decision is None
    reason = DIFFERS if differs else said.stated.reason[:LONGEST_REASON].strip()
    if fault_in(reason, decision, study) == NAMES_PATIENT:
        reason = LEFT_OUT
    word = Assessment(
        item.id,
        0,
        said.at(item.created),
        said.reader,
        said.identity,
        decision,
        reason,
        said.slip.caller,
        said.object_uid,
    )
    actor = Actor(said.reader, "", said.identity, said.slip.address, Origin.DICOM)
    about = (AuditedObject.workitem(item.id, item.study_uid), study.patient_id)
    with closing(Auditor(flow.site.data)) as auditor:

        def note(act: AuditedAct, why: str, outcome: AuditOutcome) -> None:
            auditor.note_of(actor, act, *about, why, outcome)

        return audited(note, flow.site, flow.records, word)
