"""The tables of the audit trail, and what is wrong with their file when they cannot be used."""

import shlex
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from hilum.audit.entry import CONTENT, AuditedAct
from hilum.errors import OtherVersionError
from hilum.privacy import denied

VERSION = 1  # of the tables, as SQLite's user_version
PURGED = AuditedAct.AUDIT_PURGED.value
COLUMNS = ", ".join(("number", *CONTENT, "previous", "hash"))

TABLES = f"""
CREATE TABLE entry (
    number INTEGER PRIMARY KEY,
    {", ".join(f"{name} {'REAL' if name == 'at' else 'TEXT'} NOT NULL" for name in CONTENT)},
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX entry_at ON entry (at);
CREATE INDEX entry_person ON entry (person, number);
CREATE INDEX entry_study ON entry (study_uid, number);
CREATE INDEX entry_patient ON entry (patient_id, number);
CREATE INDEX entry_purge ON entry (number) WHERE act = '{PURGED}';
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'an audit trail is not changed'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry
WHEN OLD.number > coalesce(
    (SELECT max(CAST(object AS INTEGER)) FROM entry WHERE act = '{PURGED}'), 0)
BEGIN SELECT RAISE(ABORT, 'nothing is removed from an audit trail but by a purge'); END;
CREATE TRIGGER entry_is_last BEFORE INSERT ON entry
WHEN NEW.number <> coalesce((SELECT max(number) FROM entry), 0) + 1
  OR NEW.previous <> coalesce((SELECT hash FROM entry ORDER BY number DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'entries are added at the end of an audit trail'); END;
CREATE TABLE collector (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    failing_since REAL,
    problem TEXT NOT NULL
) STRICT;
"""
Returned = TypeVar("Returned")


def require_tables(connection: sqlite3.Connection) -> None:
    def version() -> int:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    if version() == 0:
        write(connection, lambda: _make_tables(connection) if version() == 0 else None)
    if version() > VERSION:
        text = "the audit trail was made by a newer Hilum: install that Hilum again"
        raise OtherVersionError(text)


def _make_tables(connection: sqlite3.Connection) -> None:
    statement = ""
    for line in TABLES.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA user_version = {VERSION}")


def write(connection: sqlite3.Connection, work: Callable[[], Returned]) -> Returned:
    """What `work` gives, in one transaction that nobody else writes beside."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        returned = work()
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has done so itself, such as on a full disk
            connection.execute("ROLLBACK")
        raise
    return returned


def why(error: sqlite3.Error | OSError, file: Path) -> str:
    """What is wrong with the file of the trail, and the cure."""
    name = getattr(error, "sqlite_errorname", "")
    folder, files = shlex.quote(str(file.parent)), f"{shlex.quote(str(file))}*"
    if isinstance(error, OSError):
        said = denied(error, file)
        return f"{said}: see that {folder} is there, and that Hilum may write to it"
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return f"{error}: make room on the disk of {folder}"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{error}: chmod u+rwx {folder}; chmod u+rw {files}"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{error}: another process writes to it; try again"
    return (
        f"{error}: keep it, as evidence: mkdir {folder}/audit.bad && mv {files} {folder}/audit.bad"
    )
