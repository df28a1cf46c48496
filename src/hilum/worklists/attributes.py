"""What worklist and performer tell each other of a step, as data sets (PS3.3 C.30, PS3.4 CC.2.5).

Needs pydicom, which is slow to import: kinds import this file when they are first asked.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydicom.dataset import Dataset

from hilum.dicom.header import HOSTILE
from hilum.dicom.uids import is_uid
from hilum.worklists import (
    OfferedStep,
    OutputSeries,
    PerformedStep,
    ProcedureStepState,
    StepStanding,
)

CANCEL_REQUESTED = 2  # Event Type ID (PS3.4 table CC.2.4-1)
OURS = "99HILUM"  # the scheme of the code value of our station
WITHOUT_RESULT = ("110513", "DCM", "Discontinued for unspecified reason")  # of CID 9300
LONGEST_TEXT = 1024  # characters of an ST (PS3.5 6.2)
LONGEST_MEANING = 64  # and of an LO
CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
WHY_CANCELED = (
    "ProcedureStepCancellationDateTime",
    "ReasonForCancellation",
    "ProcedureStepDiscontinuationReasonCodeSequence",
)
ASKED_FOR = (  # of each step that is looked for
    "SOPInstanceUID",
    "ProcedureStepState",
    "ScheduledWorkitemCodeSequence",
    "InputInformationSequence",
    "InputReadinessState",
    "StudyInstanceUID",
)
OF_STANDING = (  # of one step
    "ProcedureStepState",
    "ProcedureStepProgressInformationSequence",
    *ASKED_FOR[2:],
)


def data_set_of(item: object) -> Dataset:
    """A data set of DICOM JSON (PS3.18 F.2); an empty one where that is something else."""
    try:
        return Dataset.from_json(item)  # type: ignore[arg-type]
    except HOSTILE:
        return Dataset()


def offered_in(ds: Dataset, uid: str = "") -> OfferedStep | None:
    """The step that a data set describes; None if it says neither which nor what is asked for.

    `uid` is that of the step where it is known.
    """
    try:
        return _offered(ds, uid or str(ds.get("SOPInstanceUID", "")))
    except HOSTILE:
        return None


def _offered(ds: Dataset, uid: str) -> OfferedStep | None:
    code = next(iter(ds.get("ScheduledWorkitemCodeSequence") or ()), None)
    if not is_uid(uid) or code is None:
        return None
    value, scheme, meaning = (str(code.get(key) or "") for key in CODE)
    readiness = str(ds.get("InputReadinessState") or "READY")
    return OfferedStep(uid, (value, scheme, meaning), _study_of(ds), readiness == "READY")


def _study_of(ds: Dataset) -> str:
    inputs = ds.get("InputInformationSequence") or ()
    studies = {str(item.get("StudyInstanceUID") or "") for item in inputs} - {""}
    own = str(ds.get("StudyInstanceUID") or "")
    if own and (own in studies or not studies):
        studies = {own}
    return studies.pop() if len(studies) == 1 and all(map(is_uid, studies)) else ""


def standing_in(ds: Dataset, uid: str) -> StepStanding | None:
    """How a data set says that the step `uid` stands; None if its state is none of the four.

    There are worklists that write down who wants a step canceled while its performer is away. The
    standard has no place for that but the one where a performer says why it has canceled a step.
    """
    try:
        text = str(ds.get("ProcedureStepState") or "")
        said = [ds, *(ds.get("ProcedureStepProgressInformationSequence") or ())]
        is_unwanted = any(one.get(keyword) for one in said for keyword in WHY_CANCELED)
    except HOSTILE:
        return None
    state = next((state for state in ProcedureStepState if state == text), None)
    return StepStanding(state, is_unwanted, offered_in(ds, uid)) if state else None


def wanted_canceled_in(event: Dataset) -> str:
    """The UID of the step of which an event says so; "" where it says anything else."""
    try:
        is_wanted = int(event.EventTypeID) == CANCEL_REQUESTED
        return str(event.AffectedSOPInstanceUID) if is_wanted else ""
    except HOSTILE:
        return ""


def state_change(transaction_uid: str, state: ProcedureStepState) -> Dataset:
    """What asks for another state (PS3.4 CC.2.1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ProcedureStepState = state.value
    return ds


def progress(transaction_uid: str, percent: int, text: str) -> Dataset:
    """What says how far a step is."""
    item = Dataset()
    item.ProcedureStepProgress = str(percent)
    item.ProcedureStepProgressDescription = text[:LONGEST_TEXT]
    return _update(transaction_uid, item)


def completion(transaction_uid: str, performed: PerformedStep) -> Dataset:
    """What has to stand in a step before it may be COMPLETED (PS3.4 table CC.2.5-3)."""
    item = Dataset()
    item.ProcedureStepProgress = "100"
    ds = _update(transaction_uid, item)
    ds.UnifiedProcedureStepPerformedProcedureSequence = [_performed(performed)]
    return ds


def cancellation(transaction_uid: str, performed: PerformedStep, reason: str) -> Dataset:
    """What has to stand in a step before it may be CANCELED."""
    item = Dataset()
    item.ProcedureStepCancellationDateTime = _moment(performed.ended_at)
    item.ReasonForCancellation = reason[:LONGEST_TEXT]
    item.ProcedureStepDiscontinuationReasonCodeSequence = [_code(WITHOUT_RESULT)]
    ds = _update(transaction_uid, item)
    ds.UnifiedProcedureStepPerformedProcedureSequence = [_performed(performed)]
    return ds


def _update(transaction_uid: str, item: Dataset) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ProcedureStepProgressInformationSequence = [item]
    return ds


def _performed(performed: PerformedStep) -> Dataset:
    item = Dataset()
    item.PerformedProcedureStepStartDateTime = _moment(performed.began_at)
    item.PerformedProcedureStepEndDateTime = _moment(performed.ended_at)
    item.PerformedStationNameCodeSequence = [_code((performed.station, OURS, "Hilum"))]
    item.PerformedWorkitemCodeSequence = [_code(performed.code)]
    item.OutputInformationSequence = [_output(series) for series in performed.outputs]
    return item


def _output(series: OutputSeries) -> Dataset:
    """One item of the Referenced Instances and Access macro (PS3.3 table 10-3b)."""
    item = Dataset()
    item.TypeOfInstances = "DICOM"
    item.StudyInstanceUID = series.study_uid
    item.SeriesInstanceUID = series.series_uid
    item.ReferencedSOPSequence = list(_references(series.instances))
    way = Dataset()
    if series.ae_title:
        way.RetrieveAETitle = series.ae_title
        item.DICOMRetrievalSequence = [way]
    elif series.address:
        way.RetrieveURL = series.address
        item.WADORSRetrievalSequence = [way]
    return item


def _references(instances: Iterable[tuple[str, str]]) -> Iterable[Dataset]:
    for sop_class_uid, sop_instance_uid in instances:
        reference = Dataset()
        reference.ReferencedSOPClassUID = sop_class_uid
        reference.ReferencedSOPInstanceUID = sop_instance_uid
        yield reference


def _code(code: tuple[str, str, str]) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code[:2]
    item.CodeMeaning = (code[2] or code[0])[:LONGEST_MEANING]
    return item


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%d%H%M%S}+0000"
