"""Whether our database is there, whole, writable and as new as what lies on disk beside it.

It is looked at before the service starts. What is wrong is said in one line, with the cure.
"""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hilum.config.site import ENGINE, RECORDS, Site
from hilum.errors import RECOVER, RecordsUnusable
from hilum.records.copies import Copies, newest_event
from hilum.records.database import DAMAGED
from hilum.records.schema import Transact
from hilum.wording import counted


def require_present(site: Site) -> None:
    """Raise `RecordsUnusable` if our database is missing beside a data folder that holds something.

    On PostgreSQL there is no file.
    """
    records = site.data / RECORDS
    if site.database or records.exists():
        return
    if held := held_in(site.data):
        raise RecordsUnusable(f"{records} is missing, but the data folder holds {held}: {RECOVER}")


def require_whole(site: Site) -> None:
    """Raise `RecordsUnusable` unless the files of our databases are whole and can be written."""
    if site.database:
        return
    for file in (site.data / RECORDS, site.data / ENGINE):
        if file.exists():
            require_writable(file)
            if damage := damage_of(file):
                raise RecordsUnusable(f"{file} is damaged ({damage}): {RECOVER}")


def require_as_new(transact: Transact, data: Path) -> None:
    """Raise `RecordsUnusable` if the database is older than the copies of it that lie on disk."""
    copied, there = Copies(data).last_event, transact(newest_event)
    if copied > there:
        state = "older than what lies on disk" if there else "empty, but the data folder is not"
        text = f"the database is {state} (its last line is number {there}, not {copied})"
        raise RecordsUnusable(f"{text}: {RECOVER}")


def held_in(data: Path) -> str:
    """What lies in a data folder that records must tell of, in words; "" if nothing does."""
    studies, results = (sum(1 for _ in _folders(data / name)) for name in ("incoming", "results"))
    copies = len(Copies(data).files())
    if not (studies or results or copies):
        return ""
    return " and ".join((counted(max(studies, copies), "study"), counted(results, "result")))


def damage_of(file: Path) -> str:
    """What is wrong with a database of SQLite, in its words; "" if it is whole, or in use.

    Raises
    ------
    RecordsUnusable
        It could not be read, which says nothing about what it holds.
    """
    try:
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            return ""
        if error.sqlite_errorname.startswith(DAMAGED):
            return str(error)
        text = f"{file} cannot be read ({error}): see that its disk is there, has room and works"
        raise RecordsUnusable(text) from error
    return "" if found == "ok" else str(found).replace("\n", " ")


def require_writable(file: Path) -> None:
    """Raise `RecordsUnusable` if nothing can be written to a database of SQLite."""
    try:
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # which proves nothing yet
            connection.execute("CREATE TABLE never_kept (x TEXT)")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise RecordsUnusable(f"{file} is read-only: {_made_writable(file)}") from error


def _made_writable(file: Path) -> str:
    """How a person makes `file` writable for us again."""
    folder = shlex.quote(str(file.parent))
    cure = f"chmod u+rwx {folder}; chmod u+rw {folder}/*.db*"
    return f"{cure}; or, if the disk is read-only, mount it so that it can be written"


def _folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*") if path.is_dir())
