"""Our records: workitems, results, deliveries and the events of every study (SQL, no pixels).

Runs on SQLite and PostgreSQL through SQLAlchemy Core. Holds UIDs and our own ids, never names,
birth dates or patient ids.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

metadata = sa.MetaData()


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
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created", sa.Float, nullable=False),
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
    sa.Column(
        "state", sa.String(16), nullable=False
    ),  # waiting, delayed, refused, verified, cancelled
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("next_attempt", sa.Float),
    sa.Column("verified_at", sa.Float),
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
)

Row = dict[str, Any]


class Records:
    """The tables above, opened at `url`."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _configure_sqlite)
        metadata.create_all(self._engine)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction."""
        with self._engine.begin() as connection:
            yield connection

    def add_event(self, study_uid: str, kind: str, text: str, workitem_id: str = "") -> None:
        """Append one line to the trace of a study."""
        with self.begin() as connection:
            connection.execute(
                event.insert().values(
                    at=time.time(),
                    study_uid=study_uid,
                    workitem_id=workitem_id,
                    kind=kind,
                    text=text,
                )
            )

    def add_request(self, action: str, workitem_id: str, reason: str) -> int:
        """Ask the gateway to do something with a workitem; return the number of the request."""
        with self.begin() as connection:
            values = {"action": action, "workitem_id": workitem_id, "reason": reason}
            inserted = connection.execute(request.insert().values(at=time.time(), **values))
            return int(inserted.inserted_primary_key[0])  # type: ignore[index]

    def put(self, table: sa.Table, **values: Any) -> bool:
        """Insert a row unless its primary key is there already; say whether it was new."""
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        with self.begin() as connection:
            statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
            return connection.execute(statement).rowcount > 0

    def change(self, table: sa.Table, key: Mapping[str, Any], **values: Any) -> None:
        """Update the rows that match `key`."""
        with self.begin() as connection:
            connection.execute(table.update().where(*_matches(table, key)).values(**values))

    def remove(self, table: sa.Table, **key: Any) -> None:
        """Delete the rows that match `key`."""
        with self.begin() as connection:
            connection.execute(table.delete().where(*_matches(table, key)))

    def find(self, table: sa.Table, order_by: str = "", **key: Any) -> list[Row]:
        """The rows that match `key`, ordered by a column name."""
        query = sa.select(table).where(*_matches(table, key))
        if order_by:
            query = query.order_by(table.c[order_by])
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def one(self, table: sa.Table, **key: Any) -> Row:
        """The single row that matches `key`; `LookupError` if there is none."""
        rows = self.find(table, **key)
        if not rows:
            raise LookupError(f"no {table.name} with {key}")
        return rows[0]

    def set_state(self, workitem_id: str, state: State, reason: str = "", kind: str = "") -> None:
        """Move a workitem to `state` and write the line to its trace, in one transaction.

        A withdrawn one stays so, whatever a delivery that was under way still meets.
        """
        with self.begin() as connection:
            connection.execute(
                workitem.update()
                .where(workitem.c.id == workitem_id, workitem.c.state != State.WITHDRAWN.value)
                .values(state=state.value, reason=reason)
            )
            study_uid = connection.execute(
                sa.select(workitem.c.study_uid).where(workitem.c.id == workitem_id)
            ).scalar_one()
            connection.execute(
                event.insert().values(
                    at=time.time(),
                    study_uid=study_uid,
                    workitem_id=workitem_id,
                    kind=kind or state.value,
                    text=reason or state.value,
                )
            )

    def close(self) -> None:
        self._engine.dispose()


def _matches(table: sa.Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Write-ahead log, so readers never wait; full fsync, so a commit survives a power cut."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")
