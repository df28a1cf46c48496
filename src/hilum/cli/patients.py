"""The command by which a person says whose images a result is made from.

No other command shows names, birth dates or patient IDs, and nothing here is logged or recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hilum.cli.app import DEFAULT_CONFIG, Config, app, clock, out, say, site_and_records
from hilum.config.site import Site
from hilum.dicom.identity import DIFFERENT, Identity, held_for, number_of
from hilum.errors import HilumError
from hilum.inbox import Inbox
from hilum.inbox.versions import Versions
from hilum.records.states import RequestAction

if TYPE_CHECKING:
    from hilum.dicom.instance import Instance
    from hilum.records import Records

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
class _Version:
    """The images of a study that state one identity, and what they are."""

    identity: Identity
    what: str
    images: "tuple[Instance, ...]"


@app.command()
def decide(
    study: Annotated[str, typer.Argument(help="Study Instance UID, or its end.")],
    patient: Annotated[
        str, typer.Option(help="Number of the right patient, as shown without this option.")
    ] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show which patients the images of a study name, or choose the right one.

    Images that were sent again with corrected data take the place of the former ones, and results
    that were made of those are taken back.

    This shows patient data. It is the only command that does.
    """
    from hilum.asking import ask, to_be_decided
    from hilum.records import views

    site, records = site_and_records(config)
    study_uid = views.study_called(records, study)
    versions = _versions_of(site, records, study_uid)
    if not patient:
        out.print(_table(versions))
        out.print(_what_choosing_does(records, study_uid, versions))
        return
    key = _key_of(patient, versions)
    is_other = bool(Versions(site.data).of(study_uid, key))
    workitem = to_be_decided(records, study_uid, is_other)
    done, answer = ask(records, site.data, RequestAction.DECIDE, workitem, reason=key)
    say.print(answer)
    raise typer.Exit(0 if done else 1)


def _versions_of(site: Site, records: "Records", study_uid: str) -> list[_Version]:
    """The images of a study that are here: those that count, then the others, the latest first."""
    from hilum.dicom.instance import Instance
    from hilum.records.own import own_results

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
    return [_Version(*key, tuple(images)) for key, images in named.items()]


def _what_is_kept(records: "Records", file: Path, image: "Instance", identity: Identity) -> str:
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


def _what_choosing_does(records: "Records", study_uid: str, versions: list[_Version]) -> str:
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


def _key_of(number: str, versions: Iterable[_Version]) -> str:
    keys = {version.identity.key for version in versions}
    found = [key for key in keys if key.endswith(number)]
    if len(found) != 1:
        raise HilumError(
            f"no patient of this study has the number {number}; leave out --patient to see them"
        )
    return found[0]


def _table(versions: Iterable[_Version]) -> Table:
    """A table with one row for each version. Long values are wrapped, and nothing is cut.

    Columns in which nothing is stated are left out.
    """
    rows = [_cells(version) for version in versions]
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    table = Table(box=None, padding=(0, 2, 1, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in SHORT)
    for row in rows:
        table.add_row(*(escape(row[column]) for column in columns))
    return table


def _cells(version: _Version) -> dict[str, str]:
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
