"""The command that writes all measurements to one table, for statistics elsewhere."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, say, site_and_records
from hilum.wording import counted


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file that ends in .csv or .parquet.")],
    since: Annotated[
        datetime | None, typer.Option("--since", help="Only analyses since then.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Only analyses before then.")
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="Only this module; may be repeated.")
    ] = None,
    identified: Annotated[
        bool,
        typer.Option("--identified", help="With patient IDs, UIDs, dates and readers' reasons."),
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write all measurements with model, series, outcome and assessment to a table.

    Without --identified, pseudonyms stand in the place of whatever names a patient.
    """
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.exporting import (
        IDENTIFIED_COLUMNS,
        format_of,
        rows_of,
        write_table,
    )
    from hilum.pseudonyms import Pseudonyms, site_key
    from hilum.records.exports import ExportFilter

    format_of(file)
    site, records = site_and_records(config)
    wanted = ExportFilter(
        since.timestamp() if since else 0.0,
        until.timestamp() if until else float("inf"),
        tuple(module or ()),
    )
    about = AuditedObject(ObjectType.RECORDS, str(file))
    how = "identified" if identified else "pseudonymous"
    with audited(site, AuditedAct.EXPORTED, about, f"measurements, {how}"):
        pseudonyms = None if identified else Pseudonyms(site_key(site.data))
        rows = (row for run in records.exports.runs(wanted) for row in rows_of(run, pseudonyms))
        count = write_table(file, rows, () if identified else IDENTIFIED_COLUMNS)
    say.print(f"wrote {counted(count, 'row')}, {how}, to {escape(str(file))}")
