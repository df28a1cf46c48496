"""What the images of a study say about it, by which people look for it.

Patient data go from here into the records, and nowhere else.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hilum.dicom.header import Header
from hilum.dicom.identity import of_patient
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.text import is_valid
from hilum.errors import UnreadableError
from hilum.inbox import Inbox
from hilum.logs import going_on
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers

SHARE = 0.1  # of one core, for what an older Hilum did not note
SAMPLE = 40  # images that are read of an older study of which no workitem names any
MOST_OTHERS = 50  # further values, of all attributes together
MOST_MODALITIES = 20
LONGEST_NAME = 200  # characters: three groups of 64 (PS3.5 6.2)
KEYWORDS = {  # in (0010,xxxx) and (0008,xxxx); PS3.3 C.7.1.1, C.7.2.1
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "description": "StudyDescription",
}
LONGEST = {"patient_name": LONGEST_NAME}

log = logging.getLogger(__name__)


def identifiers_of(images: Iterable[Instance], decided: str = "") -> StudyIdentifiers:
    """What `images`, at least one of every series and patient of a study, say about it.

    Results of ours that came back do not count, and where a person has `decided` whose the images
    are (by the key of an `Identity`), those of others do not either.
    """
    images = [image for image in images if not image.is_own_result]
    if decided:
        images = of_patient(decided, images)
    stated = {name: _values(name, images) for name in KEYWORDS}
    others = [(name, value) for name, values in stated.items() for value in values[1:]]
    modalities = dict.fromkeys(image.header.text("Modality", 16).strip() for image in images)
    return StudyIdentifiers(
        **{name: values[0] if values else "" for name, values in stated.items()},
        modalities=tuple(sorted(filter(None, modalities)))[:MOST_MODALITIES],
        others=tuple(others[:MOST_OTHERS]),
    )


def representatives(images: Iterable[Instance]) -> list[Instance]:
    """One image of every series and patient, the first ones."""
    found: dict[tuple[object, ...], Instance] = {}
    for image in images:
        found.setdefault((image.series_uid, image.patient), image)
    return list(found.values())


def _values(name: str, images: Iterable[Instance]) -> list[str]:
    """The values of one attribute that images state, each once."""
    values = (_value(name, image.header) for image in images)
    return list(dict.fromkeys(filter(None, values)))


def _value(name: str, header: Header) -> str:
    text = header.text(KEYWORDS[name], LONGEST.get(name, 64)).strip()
    if name != "study_date":
        return text
    text = text.replace(".", "")  # as ACR-NEMA wrote dates
    return text if is_valid("DA", text) else ""


# What an older Hilum did not note -----------------------------------------------------------------


def note_older(
    records: Records,
    inbox: Inbox,
    own: OwnResults,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Have every study found that an older Hilum has recorded; in a thread of its own.

    First how each stands, then what its images say, the newest studies first. Each is one step that
    is done once, so what is ended in the middle goes on at the next start. `pause` is called with
    the seconds of rest after each step.
    """
    for study_uid in records.identifiers.not_listed():
        with _at_leisure(f"the line of study {study_uid}", pause):
            records.identifiers.list_older(study_uid)
    for study_uid in records.identifiers.not_noted():
        with _at_leisure(f"the identifiers of study {study_uid}", pause):
            images = list(_read(_files(records, inbox, study_uid), own))
            decision = records.corrections.decision(study_uid)
            said = identifiers_of(images, decision.identity if decision else "")
            records.identifiers.note_older(study_uid, said)


@contextmanager
def _at_leisure(what: str, pause: Callable[[float], None]) -> Iterator[None]:
    """Do one step, whatever comes of it, and rest so long that steps take `SHARE` of a core."""
    began = time.perf_counter()
    with going_on(what, log):
        yield
    pause((time.perf_counter() - began) * (1 / SHARE - 1))


def _files(records: Records, inbox: Inbox, study_uid: str) -> list[Path]:
    """Files of a study that say whose it is: those that workitems name, else a sample of all."""
    folder = inbox.study_folder(study_uid)
    named = [folder / name for name in sorted(records.identifiers.siblings_of(study_uid))]
    if there := [file for file in named if file.exists()]:
        return there
    files = sorted(folder.glob("*.dcm"))
    return files[:: max(1, len(files) // SAMPLE)]


def _read(files: Iterable[Path], own: OwnResults) -> Iterator[Instance]:
    for file in files:
        with suppress(UnreadableError, OSError):  # a rule has removed it meanwhile
            yield Instance.read(file, own)
