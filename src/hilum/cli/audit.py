"""Commands that show the audit trail, prove that it is whole, and hand it on.

They show no patient IDs: those stand in the export, which is for those who may have them.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    app,
    clock,
    out,
    print_json,
    records_if_any,
    say,
)
from hilum.cli.tables import add_row, print_table
from hilum.errors import HilumError
from hilum.wording import counted

if TYPE_CHECKING:
    from hilum.audit import AuditEntry, AuditStore
    from hilum.audit.store import AuditFilter
    from hilum.config.site import Site

PORTION = 1000  # entries that are read at once

audit = typer.Typer(help="Who did what: show it, prove it, hand it on.", no_args_is_help=True)
app.add_typer(audit, name="audit")


@audit.command()
def show(
    person: Annotated[str, typer.Option("--person", help="Only what this person did.")] = "",
    study: Annotated[
        str, typer.Option("--study", help="Only this study: address, accession number, or UID.")
    ] = "",
    since: Annotated[datetime | None, typer.Option("--since", help="Only since then.")] = None,
    page: Annotated[int, typer.Option(min=1, help="Page to show; page 1 holds the latest.")] = 1,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show who did what, the latest first, 50 on a page."""
    from hilum.audit.store import AuditFilter
    from hilum.audit.views import AuditPage

    studies = _studies(config, study) if study else ()
    begin = since.timestamp() if since else None
    wanted = AuditFilter(person=person, studies=studies, since=begin)
    with _read(config) as store:
        shown = AuditPage.of(store, wanted, page).without_patients()
    if as_json:
        print_json(shown)
        return
    if shown.entries:
        print_table(_table(shown.entries))
    else:
        out.print("the audit trail has no such entry")
    say.print(f"page {shown.page} of {shown.pages}, {shown.total} in all")


@audit.command()
def verify(
    head: Annotated[
        str, typer.Option("--head", help="What `hilum audit head` printed once: NUMBER:HASH.")
    ] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Prove that no entry was changed, removed, inserted or moved; exit status 1 if one was.

    Only with a head that was kept elsewhere, that the end was not cut off.
    """
    from hilum.audit.entry import ChainHead
    from hilum.config import load

    known = ChainHead.parse(head) if head else None
    with closing(_store(load(config))) as store:
        report = store.verify(known)
    for fault in report.faults:
        out.print(escape(fault), style="bold red")
    if report.is_whole:
        last = f"; the last one is {report.head}" if report.head else ""
        out.print(f"{counted(report.entries, 'entry')}, as they were written{last}")
    raise typer.Exit(0 if report.is_whole else 1)


@audit.command()
def head(config: Config = DEFAULT_CONFIG) -> None:
    """Print number and hash of the last entry: keep it elsewhere, for `hilum audit verify`."""
    from hilum.config import load

    with closing(_store(load(config))) as store:
        found = store.head()
    if found is None:
        raise HilumError("the audit trail holds nothing yet")
    out.print(str(found))


@audit.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file, which holds patient IDs.")],
    since: Annotated[datetime | None, typer.Option("--since", help="Only since then.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write the audit trail to a file as JSON, one entry a line, that only its owner may read."""
    from pydantic_core import to_json

    from hilum.audit.store import AuditFilter

    wanted = AuditFilter(since=since.timestamp() if since else None)
    with _read(config, exported=file) as store:
        try:
            target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise HilumError(f"{file} is there already: name a file that is new") from error
        with open(target, "wb") as lines:  # noqa: PTH123 - it is open already
            count = 0
            for entry in _all(store, wanted):
                lines.write(to_json(entry) + b"\n")
                count += 1
    say.print(f"wrote {counted(count, 'entry')} to {escape(str(file))}; it holds patient IDs")


def _studies(config: Path, wanted: str) -> tuple[str, ...]:
    """UIDs of what `wanted` names; the trail has also studies that no records have."""
    from hilum.config import load
    from hilum.records import views

    records = records_if_any(load(config))
    return tuple(views.studies_named(records, wanted)) or (wanted,)


def _store(site: "Site") -> "AuditStore":
    from hilum.audit import AuditStore, audit_file

    return AuditStore(audit_file(site.data))


@contextmanager
def _read(config: Path, exported: Path | None = None) -> "Iterator[AuditStore]":
    """The trail; it holds from now on that this user has read it."""
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.config import load

    site = load(config)
    act = AuditedAct.EXPORTED if exported else AuditedAct.AUDIT_READ
    about = AuditedObject(ObjectType.AUDIT_TRAIL, str(exported or ""))
    with audited(site, act, about), closing(_store(site)) as store:
        yield store


def _all(store: "AuditStore", wanted: "AuditFilter") -> "Iterator[AuditEntry]":
    """What is wanted, in the order of the entries."""
    last = 0
    while portion := store.after(last, PORTION):
        last = portion[-1].number
        yield from (entry for entry in portion if wanted.since is None or entry.at >= wanted.since)


def _table(entries: "tuple[AuditEntry, ...]") -> Table:
    shown = Table(
        "when", "who", "act", "what", "outcome", "reason or choice", box=None, padding=(0, 2, 0, 0)
    )
    for entry in entries:
        what = f"{entry.object_type} {entry.object}" if entry.object else ""
        where = f" ({entry.account})" if entry.account else ""
        cells = (
            clock(entry.at),
            entry.person + where,
            entry.act,
            what,
            entry.outcome,
            entry.reason,
        )
        add_row(shown, *cells)
    return shown
