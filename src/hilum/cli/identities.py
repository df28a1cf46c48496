"""Which patients the images of a study name, as `hilum decide` shows them."""

from collections.abc import Iterable

from rich.table import Table

from hilum.choosing import Version
from hilum.cli.app import clock
from hilum.cli.tables import add_row

NOTHING_WAITS = "Nothing of this study waits for a decision."


def how_to_choose(study_uid: str, what_it_does: Iterable[str]) -> str:
    """The command that chooses, and what it does."""
    said = list(what_it_does)
    if not said:
        return NOTHING_WAITS
    return "\n".join([f"To decide: `hilum decide {study_uid} --patient NUMBER`.", *said])


def table(versions: Iterable[Version]) -> Table:
    """A table with one row for each version. Columns in which nothing is stated are left out."""
    rows = [_cells(version) for version in versions]
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    shown = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        add_row(shown, *(row[column] for column in columns))
    return shown


def _cells(version: Version) -> dict[str, str]:
    """The cells of one row, by the headings of their columns."""
    stated = version.stated
    return {
        "number": version.number,
        "these are": _what(version),
        "name": stated.name,
        "patient ID": stated.patient_id,
        "issuer": stated.issuer,
        "born": stated.birth_date,
        "accession": stated.accession_number,
        "images": str(len(version.images)),
        "of": ", ".join(stated.series),
    }


def _what(version: Version) -> str:
    """What a version is, and who has sent it when."""
    if version.sent is None:
        return version.kind
    taken = "" if version.sent.is_open else ", not taken"
    return f"sent by {version.senders} at {clock(version.sent.at)}{taken}"
