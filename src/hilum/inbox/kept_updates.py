"""What the hospital said of patients, kept for studies that come later.

It holds patient data, and stands in `patient-updates/kept/` below the data folder: a folder for
each patient ID, by its digest, and in it a file for each thing that was said last.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hilum.hl7.adt import PatientUpdate
from hilum.inbox import digest, write_durably
from hilum.inbox.updates import FOLDER
from hilum.privacy import make_private

KEPT = "kept"
AS_JSON = TypeAdapter(PatientUpdate)


def remember(data: Path, patient_id: str, update: PatientUpdate) -> None:
    """Keep what was said of a patient ID, unless something newer of the same event is kept."""
    path = _folder(data, patient_id) / f"{update.event.lower()}-{_about(update)}.json"
    known = _read(path)
    if known is None or known.at <= update.at:
        make_private(path.parent)
        write_durably(path, AS_JSON.dump_json(update))


def heard_of(data: Path, patient_id: str) -> list[PatientUpdate]:
    """What is kept of a patient ID, of whatever authority, in the order in which it happened."""
    read = map(_read, _folder(data, patient_id).glob("*.json"))
    return sorted((one for one in read if one is not None), key=lambda one: one.at)


def forget(data: Path, before: float) -> None:
    """Remove what was written down before that time (s since 1970)."""
    for path in _files(data):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
                with suppress(OSError):  # there is more
                    path.parent.rmdir()


def _files(data: Path) -> Iterator[Path]:
    return (data / FOLDER / KEPT).glob("*/*.json")


def _folder(data: Path, patient_id: str) -> Path:
    return data / FOLDER / KEPT / digest(patient_id)


def _about(update: PatientUpdate) -> str:
    """Names what is said by its authorities: a later one with the same name takes its place."""
    [patient] = update.patients
    issuers = (one.authority for one in (*patient.identifiers, *patient.former))
    return digest("\x1f".join("\x1e".join(authority) for authority in sorted(issuers)))


def _read(path: Path) -> PatientUpdate | None:
    """None if there is no file that can be read: a person looks at the archive anyway."""
    try:
        return AS_JSON.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
