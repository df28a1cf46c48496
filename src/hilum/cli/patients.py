"""The command by which a person says whose images a result is made from.

No other command shows names, birth dates or patient IDs, and nothing here is logged or recorded.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from hilum.cli.app import DEFAULT_CONFIG, Config, app, out, say, site_and_records
from hilum.errors import HilumError

SHOWN = 8  # of a key's last digits


@app.command()
def decide(
    study: Annotated[str, typer.Argument(help="Study Instance UID, or its end.")],
    patient: Annotated[str, typer.Option(help="Number of the right one, as shown.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show which patients the images of a study name; have those of the right one analysed.

    Images that were sent again with corrected data take the place of the former ones, and results
    that were made of those are taken back.

    This shows patient data. It is the only command that does.
    """
    from hilum.asking import ask, to_be_decided
    from hilum.inbox.versions import Versions
    from hilum.records import views

    site, records = site_and_records(config)
    study_uid = views.study_called(records, study)
    named = _named(site, records, study_uid)
    if not patient:
        out.print(_table(named))
        out.print(f"`hilum decide {study_uid} --patient NUMBER` takes the images of one only.")
        return
    key = _key_of(patient, named)
    is_other = bool(Versions(site.data).of(study_uid, key))
    workitem = to_be_decided(records, study_uid, is_other)
    done, answer = ask(records, site.data, "decide", workitem, reason=key)
    say.print(answer)
    raise typer.Exit(0 if done else 1)


def _named(site: Any, records: Any, study_uid: str) -> Mapping[Any, list[Any]]:
    """The images of a study by the identity that they state: those that count, then others."""
    from hilum.dicom.identity import Identity
    from hilum.dicom.instance import Instance
    from hilum.inbox import Inbox
    from hilum.inbox.versions import Versions
    from hilum.records.own import own_results

    files = sorted(Inbox(site.data).study_folder(study_uid).glob("*.dcm"))
    files += Versions(site.data).all_of(study_uid)
    named: dict[Identity, list[Instance]] = {}
    own = own_results(records, ())
    for file in files:
        image = Instance.read(file, own)
        if not image.is_own_result:
            named.setdefault(Identity.of(image.header), []).append(image)
    if not named:
        raise HilumError("no image of this study is on this machine; send it again")
    return named


def _key_of(number: str, named: Iterable[Any]) -> str:
    keys = [str(identity.key) for identity in named if identity.key.endswith(number)]
    if len(keys) != 1:
        raise HilumError(f"no patient of this study has the number {number}; see without --patient")
    return keys[0]


def _table(named: Mapping[Any, list[Any]]) -> Table:
    columns = ("number", "patient ID", "issuer", "name", "birth date", "accession", "images", "of")
    table = Table(*columns, box=None)
    for identity, images in named.items():
        header = images[0].header
        keywords = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")
        stated = [header.text(keyword) for keyword in (*keywords, "AccessionNumber")]
        series = sorted({image.header.text("SeriesDescription") for image in images})
        cells = [identity.key[-SHOWN:], *stated, str(len(images)), ", ".join(filter(None, series))]
        table.add_row(*map(_plain, cells))
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
