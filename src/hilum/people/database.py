"""`people.db`: the accounts, sessions and tokens of one installation, on SQLite.

It is small, and has nothing to do with the records: neither waits for the other.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import sqlalchemy as sa

from hilum.errors import HilumError, OtherVersionError
from hilum.privacy import denied, make_private
from hilum.records.database import Database

FILE = "people.db"
VERSION = 2  # of the tables below; 2 has saved filters
PATIENCE = 5.0  # seconds with a database that does not answer: a person waits

metadata = sa.MetaData()
account = sa.Table(
    "account",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("password", sa.Text, nullable=False),  # an argon2 hash with its parameters
    sa.Column("role", sa.String(16), nullable=False),  # a UserRole
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)
session = sa.Table(
    "session",
    metadata,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("way", sa.String(16), nullable=False),  # a SignInWay
    sa.Column("name", sa.String(64), index=True, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),  # when it began; an account may say otherwise
    sa.Column("began", sa.Float, nullable=False),
    sa.Column("used", sa.Float, nullable=False),
)
token = sa.Table(
    "token",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("secret_hash", sa.String(64), unique=True, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),  # a UserRole
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("ends", sa.Float, nullable=False),
    sa.Column("used", sa.Float),
)
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),  # hash of a name or an address
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last", sa.Float, nullable=False),
    sa.Column("told", sa.Float),  # the failure after which somebody was told to pause
)
link = sa.Table(
    "link",
    metadata,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("ends", sa.Float, nullable=False),
)
saved_filter = sa.Table(
    "saved_filter",  # of the list of studies
    metadata,
    sa.Column("number", sa.String(16), primary_key=True),
    sa.Column("owner", sa.Text, index=True, nullable=False),  # an identity, "" for everybody
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)

Returned = TypeVar("Returned")


class PeopleDatabase:
    """The database below `data`, which only the user who runs Hilum may read. It is made if needed.

    Raises
    ------
    OtherVersionError
        A newer Hilum made it.
    HilumError
        It is damaged, or cannot be made; the text says the cure.
    """

    def __init__(self, data: Path) -> None:
        self._file = data / FILE
        try:
            make_private(data)
            # its log and index beside it get the same mode; one that is there is left alone, since
            # closing it would take away the locks of other connections of this process
            if not self._file.exists():
                os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise HilumError(f"{self._file}: {denied(error, self._file)}") from error
        self._database = Database(f"sqlite:///{self._file}", PATIENCE, self._end)
        self.change(self._prepare)

    def ask(self, work: Callable[[sa.Connection], Returned]) -> Returned:
        """The result of `work`, which reads."""
        return self._database.transact(work)

    def change(self, work: Callable[[sa.Connection], Returned]) -> Returned:
        """The result of `work`, which reads and then writes: nobody else writes in between."""

        def alone(connection: sa.Connection) -> Returned:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return work(connection)

        return self._database.transact(alone)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def _prepare(self, connection: sa.Connection) -> None:
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found > VERSION:
            raise OtherVersionError(f"{self._file} was made by a newer Hilum: install that one")
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    def _end(self, error: Exception) -> NoReturn:
        self.close()  # the next connection is to the file that is there then
        text = f"{self._file} is damaged: remove it, and add people anew with `hilum people add`"
        raise HilumError(text) from error
