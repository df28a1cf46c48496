"""The database of the records, SQLite or PostgreSQL. While it is locked, full or away, we wait."""

import logging
import time
from collections.abc import Callable
from importlib import import_module
from math import inf
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from hilum.errors import RECOVER, ConfigurationError, RecordsUnavailable, RecordsUnusable

LONGEST_PAUSE = 1.0  # seconds between two attempts at a database that does not answer
TELL_AFTER = 5.0
CONNECT_SECONDS = 5  # longest wait for PostgreSQL to let us in
LEAST_CONNECT_SECONDS = 2  # of the driver: it waits no shorter
SILENT = "the database server takes what it is asked, and says nothing"
ALL_WAIT = "all connections to the database wait for it"
DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")  # the file is no whole database
GONE = "SQLITE_READONLY_DBMOVED"  # the file is no longer there
TRANSIENT = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",  # its disk may be mounted otherwise again
)

log = logging.getLogger(__name__)
Returned = TypeVar("Returned")


def raise_it(error: RecordsUnusable) -> NoReturn:
    """What is done about a damaged database where a person reads the error."""
    raise error


class Database:
    """The database at `url`.

    `patience` is how long in s a database that does not answer is waited for; the services wait
    until it does, since nothing can be decided without it. One that is damaged or gone is not
    waited for: `on_damage` is told, which ends the process or raises.

    Raises
    ------
    ConfigurationError
        The URL is none, or of a database whose driver is not installed.
    """

    def __init__(
        self,
        url: str,
        patience: float = inf,
        on_damage: Callable[[RecordsUnusable], NoReturn] = raise_it,
    ) -> None:
        self._patience = patience
        self._on_damage = on_damage
        try:
            at = sa.make_url(url)
            bounds = _bounds_of_silence(at, patience)
            # no error that is logged may show a value: some are patient data
            self.engine = sa.create_engine(at, hide_parameters=True, connect_args=bounds)
        except (ImportError, ValueError, sa.exc.ArgumentError) as error:
            raise ConfigurationError(f"database: {error}") from error
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _configure_sqlite)
        elif patience < inf:
            sa.event.listen(self.engine, "do_connect", _impatient(patience))

    def transact(self, work: Callable[[sa.Connection], Returned]) -> Returned:
        """The result of `work` in one transaction, which begins again when the database fails.

        Raises `RecordsUnavailable` when the patience is at its end.
        """
        started = time.monotonic()
        pause = 0.02
        told = False
        while True:
            try:
                with self.engine.begin() as connection:
                    outcome = work(connection)
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                waited = time.monotonic() - started
                self._judge(error)
                why = getattr(error, "orig", ALL_WAIT)
                if waited > self._patience:
                    text = f"the records do not answer for {waited:.0f} s: {why}"
                    raise RecordsUnavailable(text) from error
                if not told and waited > TELL_AFTER:
                    told = True
                    log.warning("the records do not answer (%s), waiting", why)
            else:
                if told:
                    log.warning("the records answer again")
                return outcome
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _judge(self, error: sa.exc.DBAPIError | sa.exc.TimeoutError) -> None:
        """Return if the same transaction may succeed later."""
        if isinstance(error, sa.exc.TimeoutError):
            return
        if _is_damage(error):
            self._on_damage(RecordsUnusable(f"database: {error.orig}: {RECOVER}"))
        if not _is_transient(error):
            raise error
        if _name_of(error).startswith("SQLITE_READONLY"):
            self.engine.dispose()  # a connection that was opened so can never write

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def insert_once(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert a row unless its primary key is there already; whether it was new."""
    # only the dialect in use is imported: the others take time
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    # asked for the row: PostgreSQL's driver does not count inserted ones
    return connection.execute(statement.returning(*table.primary_key)).first() is not None


def _bounds_of_silence(at: sa.URL, patience: float) -> dict[str, int]:
    """For the driver: how long a database that is away may just be silent.

    The system itself waits for many minutes. Whoever waits without end has it do so: to end a
    connection while it commits would have the same done twice.
    """
    if at.get_backend_name() != "postgresql":
        return {}
    bounds = {"connect_timeout": CONNECT_SECONDS}
    if patience < inf:  # two attempts, the second of which is the last
        bounds["connect_timeout"] = max(LEAST_CONNECT_SECONDS, round(patience / 2))
        bounds["tcp_user_timeout"] = round(1000 * patience)  # ms
    return {name: bound for name, bound in bounds.items() if name not in at.query}


def _impatient(patience: float) -> Callable[..., Any]:
    """For connections of PostgreSQL's driver that wait `patience` s, and no longer, for an answer.

    A server that was stopped says nothing, while the system it runs on goes on to answer for it:
    so no bound of the network ends that wait.
    """

    def connect(dialect: sa.Dialect, _record: object, args: Any, parameters: Any) -> Any:
        connection: Any = dialect.connect(*args, **parameters)
        wait = connection.wait

        def wait_so_long(answer: Any, **options: Any) -> Any:
            try:
                return wait(answer, **{"timeout": patience} | options)
            except import_module("psycopg").OperationalError as error:
                if not connection.info.transaction_status.name == "ACTIVE":
                    raise  # it has answered: that it cannot be done
                connection.close()
                raise type(error)(SILENT) from error

        connection.wait = wait_so_long
        return connection

    return connect


def _is_damage(error: sa.exc.DBAPIError) -> bool:
    """Whether the file is no longer a whole database of SQLite, or no longer there."""
    return _name_of(error).startswith((*DAMAGED, GONE))


def _name_of(error: sa.exc.DBAPIError) -> str:
    """The name that SQLite gives to an error; "" if it is not one of SQLite."""
    return str(getattr(error.orig, "sqlite_errorname", ""))


def _is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same statement may succeed later: locked, no room on the disk, gone."""
    if name := _name_of(error):
        return name.startswith(TRANSIENT)
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError)


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Write-ahead log, so readers never wait; full fsync, so a commit survives a power cut.

    What is deleted is overwritten, because it may name a patient (SQLite's manual, secure_delete).
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("PRAGMA secure_delete=ON")
