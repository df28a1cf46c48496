"""Earlier results of the same patient: looked up in the archives, compared with the present one.

Over C-FIND and C-GET only. QIDO-RS would put the patient's ID into an address, and addresses stand
in the logs of every server and proxy on the way. No archive, whatever it answers, may cost a result
or hold it up for long: what cannot be compared is a note.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby, islice
from math import isclose

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage

from hilum.config.ends import DicomNode
from hilum.dicom.dates import day_of
from hilum.dicom.header import HOSTILE, text_of
from hilum.dicom.identity import OF_QUALIFIERS, qualifiers_of
from hilum.errors import DeliveryError
from hilum.findings import Change, Earlier, Finding, Findings, Measurement, Note
from hilum.module import ModuleFacts
from hilum.objects.iod.common import description
from hilum.objects.iod.reading import PATIENT, EarlierDocument, Number, made_by
from hilum.transport.query import find, get
from hilum.transport.scu import Peer

PATIENCE = 10.0  # seconds for one answer
ALTOGETHER = 20.0  # seconds for all that one archive is asked
MOST_MATCHES = 1000  # of one query
MOST_STUDIES = 30  # the latest earlier ones that are looked into
WILDCARDS = set("*?\\")  # PS3.4 C.2.2.2: they would match other patients
FARTHEST = 10.0  # times the present value; no structure of a living person changes that much

NOT_LOOKED_UP = "Earlier results of this patient could not be looked up in every archive."
OTHER_NETWORK = (
    "There is an earlier result ({day}) of another version of this module; its measurements are not"
    " compared."
)
OTHER_PERSON = (
    "An earlier result ({day}) under the same patient ID states another birth date; it was not"
    " compared."
)
AMBIGUOUS = (
    "Earlier results ({day}) give different values for what is measured here; they were not"
    " compared."
)
OTHER_STRUCTURES = (
    "There is an earlier result ({day}), but of nothing that is measured here; it was not compared."
)
CAUTIOUS = "The earlier result of {day} was of low confidence, and so is the change since then."


def follow_up(
    findings: Findings,
    about: Dataset,
    module: ModuleFacts,
    archives: Sequence[DicomNode],
    altogether: float = ALTOGETHER,
) -> tuple[Findings, list[str]]:
    """`findings` compared with the patient's earlier results in `archives`, and what went wrong.

    `about` are the patient and study attributes of the images that they are of. An archive has
    `altogether` seconds for all that it is asked.
    """
    documents: list[Dataset] = []
    problems = []
    for settings in archives:
        peer = Peer.of(settings)
        peer = replace(peer, timeout=min(peer.timeout, PATIENCE))
        try:
            documents += look_up(peer, about, module, altogether)
        except DeliveryError as error:
            problems.append(f"{settings.name} could not be asked for earlier results: {error}")
        except HOSTILE as error:
            name = type(error).__name__
            problems.append(f"{settings.name} gave earlier results that cannot be read ({name})")
    findings = compared(findings, about, module, documents)
    if problems:
        findings = Findings((*findings.items, Note(NOT_LOOKED_UP)))
    return findings, problems


def look_up(
    peer: Peer, about: Dataset, module: ModuleFacts, altogether: float = ALTOGETHER
) -> list[Dataset]:
    """The reports of `module` on earlier studies of the same patient, and their withdrawals.

    Empty where `about`, attributes of patient and study, does not say whose it is, or when it was.
    Raises like `scu.find`, also when it takes longer than `altogether` seconds.
    """
    until = time.monotonic() + altogether
    patient_id, day = text_of(about, "PatientID"), day_of(about.get("StudyDate"))
    if day is None or not _can_be_asked_for(about, patient_id):
        return []
    matches = islice(find([_studies_of(patient_id)], peer, until), MOST_MATCHES)
    studies = _studies_before(day, (m for m in matches if _may_hold_reports(m, patient_id)))
    queries = [_series_of(uid, of) for uid in studies[:MOST_STUDIES] for of in ("SR", "KO")]
    title = module.title
    ours = ("", description(title, "sr"), description(title, "ko"))  # it is an optional key
    series = [m for m in find(queries, peer, until) if text_of(m, "SeriesDescription") in ours]
    classes = (Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage)
    return get([_whole(match) for match in series[:MOST_MATCHES]], classes, peer, until)


def _can_be_asked_for(about: Dataset, patient_id: str) -> bool:
    """Whether a query for this Patient ID asks for one patient."""
    several = about["PatientID"].VM > 1  # a backslash divides values
    return bool(patient_id) and not several and not WILDCARDS & set(patient_id)


def _studies_before(day: date, matches: Iterable[Dataset]) -> list[str]:
    """The Study Instance UIDs of those of `matches` that are earlier than `day`, latest first."""
    dated = ((day_of(match.get("StudyDate")), match) for match in matches)
    earlier = [(on, match) for on, match in dated if on and on < day]
    earlier.sort(key=lambda pair: pair[0], reverse=True)
    return [text_of(match, "StudyInstanceUID") for _, match in earlier]


def compared(
    findings: Findings, about: Dataset, module: ModuleFacts, datasets: Iterable[Dataset]
) -> Findings:
    """`findings`, and what has changed since the earlier exams that reports in `datasets` are of.

    Only reports of the same patient, module, version and weights count, none that is incomplete,
    replaced or withdrawn.
    """
    day = day_of(about.get("StudyDate"))
    if day is None:
        return findings
    notes: dict[str, date] = {}  # the latest day that each is about
    standing = _standing(filter(None, map(EarlierDocument.read, datasets)))
    before = [report for report in standing if report.day < day]
    reports = list(_comparable(before, about, module, notes))
    changes: list[Finding] = []
    followed = [m for m in findings.measurements if _is_followed(m)]
    _note_other_structures(reports, followed, notes)
    for measurement in followed:
        if earlier := tuple(_earlier(measurement, reports, notes)):
            changes.append(Change(measurement, day, earlier))
    said = [Note(text.format(day=on)) for text, on in notes.items()]
    return Findings((*findings.items, *changes, *said))


def _is_followed(measurement: Measurement) -> bool:
    return measurement.followed and bool(measurement.uncertainty) and measurement.value > 0


def _is_of_other_structures(
    reports: Sequence[EarlierDocument], followed: Sequence[Measurement]
) -> bool:
    """Such as of a crop of unknown side, where a whole head is `followed` now."""
    if not any(report.numbers for report in reports):
        return False
    return not any(report.again(measurement) for report in reports for measurement in followed)


def _comparable(
    reports: Iterable[EarlierDocument], about: Dataset, module: ModuleFacts, notes: dict[str, date]
) -> Iterator[EarlierDocument]:
    """Those on the same patient by the same network; what else is in the way is noted."""
    for report in reports:
        if not _is_same_patient(about, report) or report.module[0] != module.name[:64]:
            continue
        if not _agree(about, report, "PatientBirthDate"):
            notes[OTHER_PERSON] = report.day
        elif report.module != made_by(module):
            notes[OTHER_NETWORK] = report.day
        else:
            yield report


def _earlier(
    measurement: Measurement, reports: Sequence[EarlierDocument], notes: dict[str, date]
) -> Iterator[Earlier]:
    """The same measurement in each earlier study, the oldest first.

    Reports on one study may be variants of one result; if they differ it is not known which is
    meant, such as two crops of unknown side.
    """
    for of_study in _by_study(reports):
        found = [(r, n) for r in of_study if (n := r.again(measurement))]
        found = [(r, n) for r, n in found if _is_possible(n, measurement)]
        if not found:
            continue
        report, number = found[-1]
        if not all(isclose(number.value, n.value, rel_tol=1e-6) for _, n in found):
            notes[AMBIGUOUS] = report.day
            continue
        if report.is_cautious:
            notes[CAUTIOUS] = report.day
        uids = (report.study_uid, report.series_uid, report.sop_instance_uid)
        yield Earlier(report.day, number.value, number.uncertainty, *uids)


def _note_other_structures(
    reports: Iterable[EarlierDocument], followed: Sequence[Measurement], notes: dict[str, date]
) -> None:
    """Note the latest study whose report measured other structures than those `followed`."""
    for of_study in _by_study(reports):
        if followed and _is_of_other_structures(of_study, followed):
            notes[OTHER_STRUCTURES] = of_study[0].day


def _by_study(reports: Iterable[EarlierDocument]) -> Iterator[list[EarlierDocument]]:
    for _, of_study in groupby(reports, key=lambda report: (report.day, report.study_uid)):
        yield list(of_study)


def _standing(documents: Iterable[EarlierDocument]) -> list[EarlierDocument]:
    """The complete reports that nothing replaces or takes back, in order of study and time."""
    documents = list({document.sop_instance_uid: document for document in documents}.values())
    gone = frozenset[str]().union(*(document.names for document in documents))
    results = (d for d in documents if d.is_result and d.sop_instance_uid not in gone)
    return sorted(results, key=lambda d: (d.day, d.study_uid, d.written))


def _is_possible(number: Number, measurement: Measurement) -> bool:
    return 1 / FARTHEST < number.value / measurement.value < FARTHEST


def _is_same_patient(about: Dataset, report: EarlierDocument) -> bool:
    has_id = bool(text_of(about, "PatientID"))
    return (
        has_id
        and text_of(about, "PatientID") == report.patient["PatientID"]
        and _agree(about, report, "IssuerOfPatientID")
        and all(map(_same, qualifiers_of(about), map(report.patient.get, OF_QUALIFIERS)))
    )


def _agree(about: Dataset, report: EarlierDocument, keyword: str) -> bool:
    """Whether two patients do not contradict each other."""
    assert keyword in PATIENT
    return _same(text_of(about, keyword), report.patient[keyword])


def _same(here: str, there: str | None) -> bool:
    """Whether two values do not contradict each other; one may not be stated."""
    return here == there or not (here and there)


def _may_hold_reports(match: Dataset, patient_id: str) -> bool:
    """Archives may answer more than was asked, and leave out what they were asked for."""
    stated, modalities = text_of(match, "PatientID"), match.get("ModalitiesInStudy")
    return (
        bool(text_of(match, "StudyInstanceUID"))
        and stated in ("", patient_id)
        and (not modalities or "SR" in modalities)
    )


def _studies_of(patient_id: str) -> Dataset:
    query = Dataset()
    if not patient_id.isascii():
        query.SpecificCharacterSet = "ISO_IR 192"
    query.QueryRetrieveLevel = "STUDY"
    query.PatientID = patient_id
    query.ModalitiesInStudy = "SR"
    query.StudyDate = ""
    query.StudyInstanceUID = ""
    return query


def _series_of(study_uid: str, modality: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID = study_uid
    query.Modality = modality
    query.SeriesDescription = ""
    query.SeriesInstanceUID = ""
    return query


def _whole(series: Dataset) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID = text_of(series, "StudyInstanceUID")
    query.SeriesInstanceUID = text_of(series, "SeriesInstanceUID")
    return query
