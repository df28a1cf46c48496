"""Which version of the tables a database holds.

An empty database gets the tables of this Hilum. One that another Hilum has made is refused: an
older one is brought up to date where the service starts (`hilum.records.migrations`), and nowhere
else.
"""

from collections.abc import Callable
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from hilum.errors import OtherVersionError
from hilum.records import tables

HEAD = "0025"  # the newest file of migrations/versions
LOCK = 0x48494C55  # any number; every process that changes the tables takes the lock of this one

VERSION = sa.Table(  # as Alembic keeps it
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

Transact = Callable[[Callable[[sa.Connection], Any]], Any]  # `Records.transact`


class SchemaAge(Enum):
    """How the tables of a database stand beside those of this Hilum."""

    EMPTY = "empty"  # none of our tables is there
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    INCOMPLETE = "incomplete"  # from before the first version, or another program's
    FOREIGN = "foreign"  # another program keeps its tables there


FIRST_TABLES = {  # of commit 6b943b8; before 2026-11 no version stood in a database
    *("alarm", "delivery", "destination", "event", "executor", "removal", "request", "result"),
    *("source", "study", "workitem"),
}
WORDS = {
    SchemaAge.OLDER: "the records were made by an older Hilum: `hilum serve` brings them up to "
    "date at its start",
    SchemaAge.NEWER: "the records were made by a newer Hilum (their version is {found}, this one "
    "knows {head}): install that Hilum again, or restore the backup that was made before it was "
    "installed",
    SchemaAge.INCOMPLETE: "the records were made before 2026-11-23, are incomplete, or are another "
    "program's (missing: {missing}): this Hilum cannot bring them up to date; start with an empty "
    "data folder, or name a database of its own in the setting `database`, and have the studies "
    "sent again",
    SchemaAge.FOREIGN: "the database holds tables that Hilum has not made (version {found!r} of "
    "another program): name a database of its own in the setting `database`",
}


def make_or_require(transact: Transact) -> None:
    """Make the tables in an empty database; raise `OtherVersionError` for another version."""
    found = transact(age_of)
    if found is SchemaAge.EMPTY:
        found = transact(_make)
    if text := WORDS.get(found):
        missing = ", ".join(sorted(FIRST_TABLES - transact(_names)))
        raise OtherVersionError(text.format(found=transact(version), head=HEAD, missing=missing))


def age_of(connection: sa.Connection) -> SchemaAge:
    """How the tables of the database stand."""
    names = _names(connection)  # first: another process may make all, with the version, meanwhile
    found = version(connection)
    if found is None:
        return _age_without_version(names)
    if found == HEAD:
        return SchemaAge.CURRENT
    if not (found.isdigit() and len(found) == len(HEAD)):
        return SchemaAge.FOREIGN
    return SchemaAge.NEWER if found > HEAD else SchemaAge.OLDER


def _age_without_version(names: set[str]) -> SchemaAge:
    if not names & set(tables.metadata.tables):
        return SchemaAge.EMPTY
    return SchemaAge.OLDER if names >= FIRST_TABLES else SchemaAge.INCOMPLETE


def _names(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def version(connection: sa.Connection) -> str | None:
    """The version that stands in the database; None where there is none, as before 2026-11."""
    if not sa.inspect(connection).has_table(VERSION.name):
        return None
    found = connection.execute(sa.select(VERSION)).scalar()
    return None if found is None else str(found)


def lock(connection: sa.Connection) -> None:
    """Be the only one that changes the tables until the transaction ends; others wait here.

    SQLite has one lock for all that is written; PostgreSQL gives one for the asking (its manual,
    13.3.5, advisory locks).
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _make(connection: sa.Connection) -> SchemaAge:
    lock(connection)
    if (found := age_of(connection)) is not SchemaAge.EMPTY:
        return found  # another process was quicker
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(VERSION.insert().values(version_num=HEAD))
    return SchemaAge.CURRENT


@cache
def _statements(database: str) -> tuple[str, ...]:
    """What makes the tables and their indexes, in the words of a kind of database."""
    dialect = import_module(f"sqlalchemy.dialects.{database}").dialect()
    made: list[sa.schema.ExecutableDDLElement] = []
    for table in (*tables.metadata.sorted_tables, VERSION):
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += [sa.schema.CreateTable(table), *map(sa.schema.CreateIndex, indexes)]
    return tuple(str(one.compile(dialect=dialect)) for one in made)
