"""What a DICOM archive does with what it is sent by C-STORE."""

from dataclasses import replace

from pydicom.uid import ImplicitVRLittleEndian

from hilum.records.states import DeliveryState
from hilum.results import SOP_CLASSES
from hilum_lab.archives.behaviour import EVERY, DimseBehaviour
from hilum_lab.archives.dimse import WELL
from hilum_lab.odd_archives.case import Act, ArchiveCase, Cure

SEG = SOP_CLASSES["seg"]
ANSWERS, PATIENTS, LIMITS, LOST = (
    "DICOM: what C-STORE is answered with",
    "DICOM: under which patient and UIDs it is filed",
    "DICOM: what it can take",
    "DICOM: answers that are lost",
)
REFUSED, NOT_SHOWN, MISFILED = (
    DeliveryState.REFUSED,
    DeliveryState.NOT_SHOWN,
    DeliveryState.MISFILED,
)
REFUSED_FIRST = "it was refused the first time"


def _status(status: int, name: str, words: str, done: str) -> ArchiveCase:
    """Every C-STORE is refused until the cause is removed in the archive."""
    behaviour = DimseBehaviour(statuses={EVERY: status}, comment="Patient ID [1] differs from [2]")
    cure = Cure(words, done, WELL, sent=2)
    return ArchiveCase(ANSWERS, f"{name} (0x{status:04X})", behaviour, REFUSED, cure=cure)


def _delayed(status: int, name: str, words: str) -> ArchiveCase:
    behaviour = DimseBehaviour(statuses={EVERY: status})
    cure = Cure(words, "the archive takes it again", WELL, act=Act.NOTHING, sent=None)
    return ArchiveCase(
        ANSWERS, f"{name} (0x{status:04X})", behaviour, DeliveryState.DELAYED, sent=None, cure=cure
    )


def _warning(status: int, name: str) -> ArchiveCase:
    return ArchiveCase(
        ANSWERS,
        f"takes it and warns: {name} (0x{status:04X})",
        DimseBehaviour(statuses={EVERY: status}),
    )


def _coerced(keyword: str, name: str) -> ArchiveCase:
    cure = Cure("changed attributes", "the archive keeps UIDs as they are", WELL, sent=2)
    return ArchiveCase(
        PATIENTS,
        f"gives it a new {name} and warns (0xB000)",
        DimseBehaviour(coerces=frozenset({keyword})),
        NOT_SHOWN,
        cure=cure,
    )


def _other_patient(name: str, behaviour: DimseBehaviour, **stated: str) -> ArchiveCase:
    done = "decided for the patient of the archive"
    return ArchiveCase(
        PATIENTS,
        name,
        behaviour,
        MISFILED,
        images=stated,
        cure=Cure("hilum decide", done, act=Act.DECIDE),
    )


ONE_CLASS = Cure(
    "enable it there", 'objects = ["sr"], restart', settings={"objects": ["sr"]}, sent=1
)
CASES = (
    ArchiveCase(ANSWERS, "takes it", WELL),
    _warning(0xB000, "attributes changed, but not those that Hilum asks for"),
    _warning(0xB006, "attributes left out"),
    _warning(0xB007, "does not match its SOP class"),
    _status(0xA778, "has the study under another Patient ID", "correct the patient", "corrected"),
    _status(0xA771, "such an object was rejected before", "rejected", "the old one is deleted"),
    _status(0xC000, "cannot understand it", "validate the file", "the archive is corrected"),
    _status(0x0124, "does not let us store", "allow our calling AE title", "allowed"),
    _delayed(0xA700, "has no room", "look at its disk"),
    _delayed(0x0110, "fails to process it", "processing failure"),
    ArchiveCase(
        ANSWERS,
        "has no room for a while (0xA700)",
        DimseBehaviour(full_first=2),
        sent=2,
        why=REFUSED_FIRST,
    ),
    ArchiveCase(
        ANSWERS,
        "does not store segmentations (0x0122)",
        DimseBehaviour(statuses={SEG: 0x0122}),
        REFUSED,
        cure=replace(ONE_CLASS, words="objects of the destination"),
    ),
    ArchiveCase(
        ANSWERS,
        "takes segmentations for wrong (0xA900)",
        DimseBehaviour(statuses={SEG: 0xA900}),
        REFUSED,
        cure=Cure("validate the file", "the archive is corrected", WELL, sent=2),
    ),
    _coerced("SOPInstanceUID", "SOP Instance UID"),
    _coerced("SeriesInstanceUID", "Series Instance UID"),
    _coerced("StudyInstanceUID", "Study Instance UID"),
    ArchiveCase(
        PATIENTS,
        "files it under another Patient ID, and has no images of the study",
        DimseBehaviour(coerces=frozenset({"PatientID"})),
        MISFILED,
        cure=Cure("hilum release", "corrected in the archive", corrects=True),
    ),
    _other_patient("has the images under another Patient ID", WELL, PatientID="CORRECTED"),
    _other_patient(
        "has the images under another Patient ID, and shows one patient only",
        DimseBehaviour(hides_second_patient=True),
        PatientID="CORRECTED",
    ),
    _other_patient(
        "has the images under another issuer of the Patient ID",
        WELL,
        IssuerOfPatientID="OTHER ISSUER",
    ),
    ArchiveCase(
        PATIENTS,
        "has the images under another name of the same patient",
        WELL,
        images={"PatientName": "Other^Name"},
    ),
    ArchiveCase(
        LIMITS,
        "does not negotiate segmentations",
        DimseBehaviour(left_out=frozenset({SEG})),
        REFUSED,
        cure=ONE_CLASS,
    ),
    ArchiveCase(
        LIMITS, "takes Implicit VR only", DimseBehaviour(syntaxes=(ImplicitVRLittleEndian,))
    ),
    ArchiveCase(LIMITS, "takes PDUs of 4 KiB", DimseBehaviour(largest_pdu=4096)),
    ArchiveCase(LIMITS, "accepts one association at a time", DimseBehaviour(most_associations=1)),
    ArchiveCase(LIMITS, "needs two seconds for each object", DimseBehaviour(slow_seconds=2)),
    ArchiveCase(
        LIMITS,
        "deletes an object whose UID comes a second time",
        DimseBehaviour(deletes_second=True),
    ),
    ArchiveCase(
        LIMITS,
        "answers to another AE title",
        DimseBehaviour(ae_title="OTHER"),
        REFUSED,
        sent=0,
        cure=Cure(
            "correct ae_title", 'ae_title = "OTHER", restart', settings={"ae_title": "OTHER"}
        ),
    ),
    ArchiveCase(
        LOST,
        "keeps the first object, and breaks off in place of an answer",
        DimseBehaviour(drop_first=1),
    ),
    ArchiveCase(
        LOST,
        "breaks off in place of an answer to the first object, and has not kept it",
        DimseBehaviour(drop_first=1, drop_keeps=False),
        sent=2,
        why="nobody knew whether it had arrived; the archive was asked, and did not show it",
    ),
    ArchiveCase(
        LOST,
        "takes it and keeps nothing",
        DimseBehaviour(keeps=False),
        NOT_SHOWN,
        cure=Cure("hilum release", "the archive keeps what it takes", WELL, sent=2),
    ),
)
