"""Whose the images of a study are: what they state, what choosing one does, and the choice.

A person chooses by `hilum decide`, on a page of the console or through its API.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from hilum.asking import to_be_decided
from hilum.config.site import Site
from hilum.dicom.doubt import AS_IT_IS, DIFFERENT, held_for
from hilum.dicom.identity import Identity, number_of
from hilum.dicom.instance import Instance
from hilum.errors import HilumError
from hilum.inbox import Inbox
from hilum.inbox.versions import Versions
from hilum.records import Records
from hilum.records.models.patients import Correction
from hilum.records.own import own_results

LONGEST = 1024  # characters of a value; names that differ must look different
IF_CORRECTED = (
    "If you choose other data than the present ones, each result of the present images is taken "
    "back in the archive, and a new one is made from the other images. If you choose present ones, "
    "nothing is taken back."
)
IF_MIXED = "Only the images of that patient are analysed; those of the others are left out."


class VersionKind(StrEnum):
    """What the images of a version are to the study."""

    PRESENT = "present"  # they count
    SENT = "sent"  # somebody has sent them, or said so, and they lie beside the present ones
    FORMER = "before a correction"  # they counted before


@dataclass(frozen=True)
class StatedIdentity:
    """What the images of a version state, as they write it; "" is what they leave empty."""

    name: str
    patient_id: str
    issuer: str
    birth_date: str
    accession_number: str
    series: tuple[str, ...]  # descriptions


@dataclass(frozen=True)
class Version:
    """The images of a study that state one identity; `sent` says who sent them, where known.

    `key` is what choosing it asks for: the key of its identity, or `AS_IT_IS` for the present
    images where those that were sent differ in something else, such as the sex.
    """

    key: str
    kind: VersionKind
    images: tuple[Instance, ...]
    sent: Correction | None = None

    @property
    def number(self) -> str:
        """The number by which a person chooses it."""
        return number_of(self.key)

    @property
    def senders(self) -> str:
        """Who has sent it, in words."""
        return ", ".join(sender or "unknown" for sender in self.sent.senders) if self.sent else ""

    @cached_property
    def stated(self) -> StatedIdentity:
        """What its images state."""
        header = self.images[0].header
        series = {image.header.text("SeriesDescription") for image in self.images}
        return StatedIdentity(
            header.text("PatientName", LONGEST),
            header.text("PatientID", LONGEST),
            header.text("IssuerOfPatientID", LONGEST),
            header.text("PatientBirthDate", LONGEST),
            header.text("AccessionNumber", LONGEST),
            tuple(sorted(filter(None, series))),
        )


@dataclass(frozen=True)
class Choice:
    """What a person has chosen, as the gateway is asked for it: an identity, by its key."""

    workitem_id: str
    identity: str
    patient_id: str


def versions_of(site: Site, records: Records, study_uid: str) -> list[Version]:
    """The images of a study that are here: those that count, then the others, the latest first."""
    kept = Versions(site.data)
    present = set(Inbox(site.data).study_folder(study_uid).glob("*.dcm"))
    own = own_results(records, ())
    named: dict[tuple[Identity, VersionKind], list[Instance]] = {}
    for file in [*sorted(present), *kept.all_of(study_uid)]:
        image = Instance.read(file, own)
        if not image.is_own_result:
            identity = Identity.of(image.header)
            is_present = file in present
            kind = VersionKind.PRESENT if is_present else _kind_of(records, file, image, identity)
            named.setdefault((identity, kind), []).append(image)
    if not named:
        raise HilumError("no image of this study is on this machine; send it again")
    return [
        Version(
            AS_IT_IS if _has_twin(identity, kind, named) else identity.key,
            kind,
            tuple(images),
            _sent(records, study_uid, identity, kind),
        )
        for (identity, kind), images in named.items()
    ]


def patient_ids_of(versions: Iterable[Version]) -> str:
    """Every Patient ID (0010,0020) that they state, as the audit trail has it of who sees them."""
    return ", ".join(sorted({version.stated.patient_id for version in versions}))


def _has_twin(
    identity: Identity, kind: VersionKind, named: Collection[tuple[Identity, VersionKind]]
) -> bool:
    return kind is VersionKind.PRESENT and (identity, VersionKind.SENT) in named


def _kind_of(records: Records, file: Path, image: Instance, identity: Identity) -> VersionKind:
    """What an image is that lies beside the present ones."""
    is_former = records.corrections.was_called(image.study_uid, [image.label])
    if is_former or file.parent.name != identity.key:  # "<key>.former", where both have one key
        return VersionKind.FORMER
    return VersionKind.SENT


def _sent(
    records: Records, study_uid: str, identity: Identity, kind: VersionKind
) -> Correction | None:
    is_sent = kind is VersionKind.SENT
    return records.corrections.get(study_uid, identity.key) if is_sent else None


def what_choosing_does(
    records: Records, study_uid: str, versions: Iterable[Version]
) -> tuple[str, ...]:
    """Sentences; () where nothing of the study waits for a choice, and none can be taken back."""
    reasons = {held_for(item.reason) for item in records.workitems.held(study_uid)} - {""}
    beside = any(version.kind is not VersionKind.PRESENT for version in versions)
    said = {
        IF_CORRECTED: bool(reasons - {DIFFERENT}) or beside,
        IF_MIXED: DIFFERENT in reasons,
    }
    return tuple(text for text, applies in said.items() if applies)


def choose(
    site: Site, records: Records, study_uid: str, number: str, versions: Sequence[Version]
) -> Choice:
    """What choosing the patient with this `number` asks the gateway for.

    Raises
    ------
    HilumError
        No patient, or several, have that number, or nothing of the study waits for a decision.
    """
    found = {v.key for v in versions if number and v.key.endswith(number)}
    if len(found) != 1:
        raise HilumError(f"no patient of this study has the number {number}")
    (key,) = found
    is_other = bool(Versions(site.data).of(study_uid, key))
    workitem = to_be_decided(records, study_uid, is_other)
    (patient_id, *_) = [v.stated.patient_id for v in versions if v.key == key]
    return Choice(workitem, key, patient_id)
