"""Which patients the images of a study name, as `hilum decide` shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from hilum.cli.app import clock
from hilum.config.site import Site
from hilum.dicom.doubt import DIFFERENT, held_for
from hilum.dicom.identity import Identity, number_of
from hilum.dicom.instance import Instance
from hilum.errors import HilumError
from hilum.inbox import Inbox
from hilum.inbox.versions import Versions
from hilum.records import Records
from hilum.records.own import own_results

PRESENT = "present"
LONGEST = 1024  # characters of a value; names that differ must look different
SHORT = ("number", "images")  # columns that never go on below
NOTHING_WAITS = "Nothing of this study waits for a decision."
IF_CORRECTED = (
    "If you choose other data than the present ones, each result of the present images is taken "
    "back in the archive, and a new one is made from the other images. If you choose present ones, "
    "nothing is taken back."
)
IF_MIXED = "Only the images of that patient are analysed; those of the others are left out."


@dataclass(frozen=True)
class Version:
    """The images of a study that state one identity, and what they are."""

    identity: Identity
    what: str
    images: tuple[Instance, ...]

    @property
    def patient_id(self) -> str:
        """Patient ID (0010,0020) of its images."""
        return self.images[0].header.text("PatientID")


def versions_of(site: Site, records: Records, study_uid: str) -> list[Version]:
    """The images of a study that are here: those that count, then the others, the latest first."""
    kept = Versions(site.data)
    files = sorted(Inbox(site.data).study_folder(study_uid).glob("*.dcm"))
    own = own_results(records, ())
    named: dict[tuple[Identity, str], list[Instance]] = {}
    for file in [*files, *kept.all_of(study_uid)]:
        image = Instance.read(file, own)
        if not image.is_own_result:
            identity = Identity.of(image.header)
            what = PRESENT if file in files else _what_is_kept(records, file, image, identity)
            named.setdefault((identity, what), []).append(image)
    if not named:
        raise HilumError("no image of this study is on this machine; send it again")
    return [Version(*key, tuple(images)) for key, images in named.items()]


def _what_is_kept(records: Records, file: Path, image: Instance, identity: Identity) -> str:
    """Say what an image is that lies beside the present ones."""
    study_uid = image.study_uid
    is_former = records.corrections.was_called(study_uid, [image.label])
    if is_former or file.parent.name != identity.key:  # "<key>.former", where both have one key
        return "before a correction"
    sent = records.corrections.get(study_uid, identity.key)
    if sent is None:
        return "sent"
    senders = ", ".join(sender or "unknown" for sender in sent.senders)
    taken = "" if sent.is_open else ", not taken"
    return f"sent by {senders} at {clock(sent.at)}{taken}"


def what_choosing_does(records: Records, study_uid: str, versions: list[Version]) -> str:
    reasons = {held_for(item.reason) for item in records.workitems.held(study_uid)} - {""}
    is_corrected = bool(reasons - {DIFFERENT}) or any(v.what != PRESENT for v in versions)
    said = [
        text
        for text, applies in ((IF_CORRECTED, is_corrected), (IF_MIXED, DIFFERENT in reasons))
        if applies
    ]
    if not said:
        return NOTHING_WAITS
    return "\n".join([f"To decide: `hilum decide {study_uid} --patient NUMBER`.", *said])


def key_of(number: str, versions: Iterable[Version]) -> str:
    keys = {version.identity.key for version in versions}
    found = [key for key in keys if key.endswith(number)]
    if len(found) != 1:
        raise HilumError(
            f"no patient of this study has the number {number}; leave out --patient to see them"
        )
    return found[0]


def table(versions: Iterable[Version]) -> Table:
    """A table with one row for each version. Long values are wrapped, and nothing is cut.

    Columns in which nothing is stated are left out.
    """
    rows = [_cells(version) for version in versions]
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    shown = Table(box=None, padding=(0, 2, 1, 0))
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in SHORT)
    for row in rows:
        shown.add_row(*(escape(row[column]) for column in columns))
    return shown


def _cells(version: Version) -> dict[str, str]:
    """The cells of one row, by the headings of their columns."""
    stated = partial(version.images[0].header.text, longest=LONGEST)
    series = {image.header.text("SeriesDescription") for image in version.images}
    return {
        "number": number_of(version.identity.key),
        "these are": version.what,
        "name": stated("PatientName"),
        "patient ID": stated("PatientID"),
        "issuer": stated("IssuerOfPatientID"),
        "born": stated("PatientBirthDate"),
        "accession": stated("AccessionNumber"),
        "images": str(len(version.images)),
        "of": ", ".join(sorted(filter(None, series))),
    }
