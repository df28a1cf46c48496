"""Access to our records (tables.py), on SQLite or PostgreSQL through SQLAlchemy Core.

A database that is locked, full or away is waited for.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import sqlalchemy as sa

from hilum.config.site import Site
from hilum.errors import ConfigurationError, RecordsUnavailable
from hilum.records import tables
from hilum.records.states import REACHED_FROM, State
from hilum.records.tables import Row

LONGEST_PAUSE = 1.0  # seconds between two attempts at a database that does not answer
TELL_AFTER = 5.0
TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")

log = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")


def records_url(site: Site) -> str:
    """SQLAlchemy URL of our records."""
    return site.database or f"sqlite:///{site.data}/hilum.db"


class Records:
    """The tables of tables.py, opened at `url`.

    `patience` is how long in s a database that does not answer is waited for; the services wait
    until it does, since nothing can be decided without it.

    Raises
    ------
    RecordsUnavailable
        By every method, when the patience is at its end.
    ConfigurationError
        The URL is none, or of a database whose driver is not installed.
    """

    def __init__(self, url: str, patience: float = float("inf")) -> None:
        self._patience = patience
        try:
            self._engine = sa.create_engine(url)
        except (ImportError, ValueError, sa.exc.ArgumentError) as error:
            raise ConfigurationError(f"database: {error}") from error
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _configure_sqlite)
        self.transact(tables.metadata.create_all)

    def transact(self, work: Callable[[sa.Connection], Outcome]) -> Outcome:
        """The outcome of `work` in one transaction, begun again when the database fails."""
        started = time.monotonic()
        pause = 0.02
        told = False
        while True:
            try:
                with self._engine.begin() as connection:
                    outcome = work(connection)
            except sa.exc.DBAPIError as error:
                waited = time.monotonic() - started
                if not _is_transient(error):
                    raise
                if waited > self._patience:
                    text = f"the records do not answer for {waited:.0f} s: {error.orig}"
                    raise RecordsUnavailable(text) from error
                if not told and waited > TELL_AFTER:
                    told = True
                    log.warning("the records do not answer (%s), waiting", error.orig)
            else:
                if told:
                    log.warning("the records answer again")
                return outcome
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def add_event(self, study_uid: str, kind: str, text: str, workitem_id: str = "") -> int:
        """Append one line to the trace of a study; its id."""
        return self.transact(
            lambda connection: _add_event(connection, study_uid, kind, text, workitem_id)
        )

    def add_events(
        self, study_uid: str, kind: str, texts: Sequence[str], workitem_id: str = ""
    ) -> None:
        """Append several lines of one kind, in one transaction."""

        def append(connection: sa.Connection) -> None:
            for text in texts:
                _add_event(connection, study_uid, kind, text, workitem_id)

        self.transact(append)

    def add_request(self, action: str, workitem_id: str, reason: str) -> int:
        """Ask the gateway to do something with a workitem; return the number of the request."""
        values = {"action": action, "workitem_id": workitem_id, "reason": reason}

        def insert(connection: sa.Connection) -> int:
            statement = tables.request.insert().values(at=time.time(), **values)
            return _new_id(connection.execute(statement))

        return self.transact(insert)

    def put(self, table: sa.Table, **values: Any) -> bool:
        """Insert a row unless its primary key is there already; say whether it was new."""
        return self.transact(lambda connection: _put(connection, table, values))

    def change(self, table: sa.Table, key: Mapping[str, Any], **values: Any) -> int:
        """Update the rows that match `key`; a tuple of values means one of them. How many did."""
        statement = table.update().where(*_matches(table, key)).values(**values)
        return self.transact(lambda connection: connection.execute(statement).rowcount)

    def remove(self, table: sa.Table, **key: Any) -> None:
        """Delete the rows that match `key`."""
        statement = table.delete().where(*_matches(table, key))
        self.transact(lambda connection: connection.execute(statement))

    def find(
        self, table: sa.Table, order_by: str = "", limit: int | None = None, **key: Any
    ) -> list[Row]:
        """The rows that match `key`, ordered by a column name; "-" before it means descending."""
        query = sa.select(table).where(*_matches(table, key)).limit(limit)
        if order_by:
            column = table.c[order_by.removeprefix("-")]
            query = query.order_by(column.desc() if order_by[0] == "-" else column)
        return self.select(query)

    def select(self, query: sa.Select[Any]) -> list[Row]:
        """The rows of any other query."""
        return self.transact(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()]
        )

    def one(self, table: sa.Table, **key: Any) -> Row:
        """The single row that matches `key`; `LookupError` if there is none."""
        rows = self.find(table, **key)
        if not rows:
            raise LookupError(f"no {table.name} with {key}")
        return rows[0]

    def set_state(
        self,
        workitem_id: str,
        state: State,
        reason: str = "",
        kind: str = "",
        together: Iterable[tuple[sa.Table, Row]] = (),
    ) -> bool:
        """Move a workitem to `state` and write the line to its trace, in one transaction.

        `together` are further rows to `put` in it. False, and nothing is done, where `state` is not
        reached from the one it is in.
        """

        def move(connection: sa.Connection) -> bool:
            study_uid = connection.execute(
                tables.workitem.update()
                .where(
                    tables.workitem.c.id == workitem_id,
                    tables.workitem.c.state.in_(REACHED_FROM[state]),
                )
                .values(state=state, reason=reason)
                .returning(tables.workitem.c.study_uid)
            ).scalar()
            if study_uid is None:
                return False
            text = reason or state
            _add_event(connection, study_uid, kind or state, text, workitem_id)
            for table, row in together:
                _put(connection, table, row)
            return True

        return self.transact(move)

    def close(self) -> None:
        self._engine.dispose()


def _add_event(
    connection: sa.Connection, study_uid: str, kind: str, text: str, workitem_id: str
) -> int:
    values = {"at": time.time(), "study_uid": study_uid, "workitem_id": workitem_id}
    statement = tables.event.insert().values(kind=kind, text=text, **values)
    return _new_id(connection.execute(statement))


def _new_id(inserted: sa.CursorResult[Any]) -> int:
    return int(inserted.inserted_primary_key[0])  # type: ignore[index]


def _put(connection: sa.Connection, table: sa.Table, row: Row) -> bool:
    # only the dialect in use is imported: the others take time
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing()
    # asked for the row: PostgreSQL's driver does not count inserted ones
    return connection.execute(statement.returning(*table.primary_key)).first() is not None


def _is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same statement may succeed later: locked, no room on the disk, gone."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(TRANSIENT)
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError)


def _matches(table: sa.Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [
        table.c[name].in_(value) if isinstance(value, tuple) else table.c[name] == value
        for name, value in key.items()
    ]


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Write-ahead log, so readers never wait; full fsync, so a commit survives a power cut."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
