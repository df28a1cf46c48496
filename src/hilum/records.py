"""Our records: workitems, results, deliveries and the events of every study (SQL, no pixels).

Runs on SQLite and PostgreSQL through SQLAlchemy Core. Holds UIDs and our own ids, never names,
birth dates or patient ids. A database that is locked, full or away is waited for.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hilum.errors import RecordsUnavailable

LONGEST_PAUSE = 1.0  # seconds between two attempts at a database that does not answer
TELL_AFTER = 5.0
TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")

metadata = sa.MetaData()
log = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")


class State(Enum):
    """The states of a workitem (the diagram stands in docs/explanation/architecture.md)."""

    SCHEDULED = "scheduled"  # waits for a worker
    RUNNING = "running"  # a module analyses it
    DELIVERING = "delivering"  # results are written, not yet read back from every destination
    COMPLETED = "completed"  # every result was read back from every destination
    NOT_APPLICABLE = "not applicable"  # the study holds nothing the module can analyse
    HELD = "held"  # the right series is incomplete and the rule says to hold it
    PARKED = "parked"  # a destination refused a result; a person has to do something
    FAILED = "failed"  # the module failed; a refusal was delivered in place of a result
    CANCELLED = "cancelled"  # superseded by a run on more images before anything was sent
    WITHDRAWN = "withdrawn"  # a person took the result back; a note in the archive says so

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (State.SCHEDULED, State.RUNNING, State.DELIVERING)

    @property
    def over(self) -> bool:
        """Whether it is settled and waits for nobody either."""
        return self.settled and self not in (State.PARKED, State.HELD)


# From where each state is reached. Anything else is not done: what a worker or a delivery that was
# under way still has to say about a workitem that a person cancelled or withdrew changes nothing.
REACHED_FROM = {
    State.RUNNING: (State.SCHEDULED, State.RUNNING),
    State.DELIVERING: (State.RUNNING, State.DELIVERING, State.PARKED),
    State.COMPLETED: (State.DELIVERING, State.PARKED),
    State.PARKED: (State.DELIVERING, State.PARKED),
    State.FAILED: (State.SCHEDULED, State.RUNNING, State.DELIVERING, State.PARKED),
    State.CANCELLED: (
        State.SCHEDULED,
        State.RUNNING,
        State.DELIVERING,
        State.PARKED,
        State.HELD,
    ),
    State.WITHDRAWN: (
        State.DELIVERING,
        State.PARKED,
        State.COMPLETED,
        State.FAILED,
        State.CANCELLED,  # what was under way then may have arrived
    ),
}


workitem = sa.Table(
    "workitem",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("study_uid", sa.String(64), index=True, nullable=False),
    sa.Column("module", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("weights_sha256", sa.String(64), nullable=False),
    sa.Column("rule", sa.JSON, nullable=False),
    sa.Column("rule_key", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), index=True, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("launch", sa.Integer, nullable=False, default=0),  # how often the engine was given it
    sa.Column("runs", sa.Integer, nullable=False, default=0),  # how often its analysis was begun
    sa.Column("inputs", sa.JSON, nullable=False),  # input name -> files in the study's folder
    sa.Column("siblings", sa.JSON, nullable=False),  # one file of every series, for the consensus
    sa.Column("verdicts", sa.JSON, nullable=False),
    sa.Column("incomplete", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("predecessor", sa.String(64)),
    sa.Column("superseded_by", sa.String(64)),
    sa.Column("findings", sa.JSON),
)
result = sa.Table(
    "result",
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    sa.Column("variant", sa.String(64), primary_key=True),  # the kinds and encoding asked for
    sa.Column("workitem_id", sa.String(64), index=True, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sop_class_uid", sa.String(64), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)
delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("destination", sa.String(64), primary_key=True),
    sa.Column("variant", sa.String(64), nullable=False),  # of the results it is to receive
    sa.Column("images", sa.Boolean, nullable=False),  # whether the analysed images go along
    sa.Column("state", sa.String(16), index=True, nullable=False),  # see outbox.py
    sa.Column("owed_at", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("next_attempt", sa.Float, nullable=False, default=0.0),
    sa.Column("verified_at", sa.Float),
)
destination = sa.Table(
    "destination",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # answers, silent
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # why it is silent
)
event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("study_uid", sa.String(64), index=True, nullable=False),
    sa.Column("workitem_id", sa.String(64), nullable=False, default=""),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
study = sa.Table(
    "study",
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("folder", sa.String(64), unique=True, nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("settled_images", sa.Integer, nullable=False, default=0),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
)
source = sa.Table(
    "source",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False, default=""),  # empty before the first use
    sa.Column("state", sa.String(16), nullable=False),  # starting, reachable, unreachable, ...
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # the last one, in plain words
    sa.Column("problem_at", sa.Float),
    sa.Column("seen_at", sa.Float),  # last answer, give or take a few seconds
    sa.Column("behind", sa.Integer, nullable=False, default=0),  # of what the archive lists
    sa.Column("fetched", sa.Integer, nullable=False, default=0),  # instances, ever
    sa.Column("fetched_at", sa.Float),
)
removal = sa.Table(
    "removal",  # of studies whose images a rule has removed, as long as they have not come again
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("results", sa.Integer, nullable=False),  # workitems whose files are gone, too
)
alarm = sa.Table(
    "alarm",  # since when something is wrong; whether it still is, is asked anew each time
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("since", sa.Float, nullable=False),
)
executor = sa.Table(
    "executor",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.String(32), nullable=False),  # kernel's start time of that pid
    sa.Column("beat_at", sa.Float, nullable=False),
)

request = sa.Table(
    "request",  # what a person asked for, until the gateway has done it
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("workitem_id", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("done", sa.Boolean, nullable=False, default=False),
)

Row = dict[str, Any]


class Records:
    """The tables above, opened at `url`.

    `patience` is how long in s a database that does not answer is waited for; the services wait
    until it does, since nothing can be decided without it.

    Raises
    ------
    RecordsUnavailable
        By every method, when the patience is at its end.
    """

    def __init__(self, url: str, patience: float = float("inf")) -> None:
        self._patience = patience
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _configure_sqlite)
        self.transact(metadata.create_all)

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

    def add_event(self, study_uid: str, kind: str, text: str, workitem_id: str = "") -> None:
        """Append one line to the trace of a study."""
        self.transact(lambda connection: _add_event(connection, study_uid, kind, text, workitem_id))

    def add_request(self, action: str, workitem_id: str, reason: str) -> int:
        """Ask the gateway to do something with a workitem; return the number of the request."""
        values = {"action": action, "workitem_id": workitem_id, "reason": reason}

        def insert(connection: sa.Connection) -> int:
            inserted = connection.execute(request.insert().values(at=time.time(), **values))
            return int(inserted.inserted_primary_key[0])  # type: ignore[index]

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
        before = [reached.value for reached in REACHED_FROM[state]]

        def move(connection: sa.Connection) -> bool:
            study_uid = connection.execute(
                workitem.update()
                .where(workitem.c.id == workitem_id, workitem.c.state.in_(before))
                .values(state=state.value, reason=reason)
                .returning(workitem.c.study_uid)
            ).scalar()
            if study_uid is None:
                return False
            text = reason or state.value
            _add_event(connection, study_uid, kind or state.value, text, workitem_id)
            for table, row in together:
                _put(connection, table, row)
            return True

        return self.transact(move)

    def close(self) -> None:
        self._engine.dispose()


def _add_event(
    connection: sa.Connection, study_uid: str, kind: str, text: str, workitem_id: str
) -> None:
    values = {"at": time.time(), "study_uid": study_uid, "workitem_id": workitem_id}
    connection.execute(event.insert().values(kind=kind, text=text, **values))


def _put(connection: sa.Connection, table: sa.Table, row: Row) -> bool:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
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
