"""Our records wait for their database and keep to the diagram of states."""

import logging
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from math import inf
from pathlib import Path

import pytest
import sqlalchemy as sa

import hilum
from factory import a_delivery, a_study, a_workitem, put
from hilum.errors import RecordsUnavailable
from hilum.records import Records, database, tables
from hilum.records.flowing import ShownResult
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    REACHED_FROM,
    WITHOUT_RUN,
    DeliveryState,
    EventKind,
    WorkitemKind,
    WorkitemState,
)
from hilum_lab import disk
from tests.patience import PATIENCE
from tests.postgres import Postgres


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Records whose database another program has locked; call it to end that.

    SQLite itself waits for a moment only.
    """
    configure = database._configure_sqlite

    def hasty(connection: sqlite3.Connection, record: object) -> None:
        configure(connection, record)
        connection.execute("PRAGMA busy_timeout=10")

    monkeypatch.setattr(database, "_configure_sqlite", hasty)
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    other = sqlite3.connect(tmp_path / "hilum.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    yield tmp_path, lambda: other.execute("COMMIT")
    other.close()
    records.close()


class Hearing(logging.Handler):
    """Notes what is logged, and does `then` each time."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._then = then

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())
        if len(self.heard) == 1:
            self._then()


def test_a_locked_database_is_waited_for(locked, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, unlock = locked
    records = Records(f"sqlite:///{folder}/hilum.db")
    monkeypatch.setattr(database, "TELL_AFTER", 0.0)
    hearing = Hearing(unlock)
    database.log.addHandler(hearing)
    try:
        records.events.add("1.2", EventKind.RECEIVING, "text")
    finally:
        database.log.removeHandler(hearing)
    assert hearing.heard == [
        "the records do not answer (database is locked), waiting",
        "the records answer again",
    ]
    assert [event.text for event in records.events.of_study("1.2")] == ["text"]
    records.close()


def test_whoever_has_less_patience_is_told(locked) -> None:
    folder, unlock = locked
    records = Records(f"sqlite:///{folder}/hilum.db", patience=0.1)
    with pytest.raises(RecordsUnavailable, match="database is locked"):
        records.events.add("1.2", EventKind.RECEIVING, "text")
    unlock()
    records.close()


def test_a_database_that_is_silent_is_as_one_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://hilum@127.0.0.1:{silent.getsockname()[1]}/hilum"
        with pytest.raises(RecordsUnavailable, match="timeout"):
            Records(url, patience=0.1)


def test_only_who_has_less_patience_ends_a_connection_that_is_silent(postgres: Postgres) -> None:
    url = str(postgres.database())

    def bound(connection: sa.Connection) -> str | None:
        driver = connection.connection.driver_connection
        return driver.info.get_parameters().get("tcp_user_timeout")  # type: ignore[union-attr]

    for patience, said in ((inf, None), (8.0, "8000")):
        with closing(Records(url, patience)) as records:
            assert records.database.transact(bound) == said


def with_tables(postgres: Postgres) -> str:
    """The URL of a database with our tables, which are made with all patience."""
    url = postgres.database()
    Records(url).close()
    return url


def test_a_database_that_was_stopped_is_as_one_that_is_away(postgres: Postgres) -> None:
    """Whether or not a connection to it is open."""
    url = with_tables(postgres)
    with closing(Records(url, patience=1)) as records:
        records.studies.count()
        with postgres.silent():
            with pytest.raises(RecordsUnavailable, match="and says nothing"):
                records.studies.count()
            with pytest.raises(RecordsUnavailable, match="timeout"):
                records.studies.count()
        assert records.studies.count() == 0


def test_what_the_database_refuses_is_not_taken_for_silence(postgres: Postgres) -> None:
    with closing(Records(with_tables(postgres), patience=1)) as records:
        locked = "SET LOCAL lock_timeout = 1; SELECT pg_advisory_xact_lock(1)"
        with records.database.engine.begin() as other:
            other.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")
            with pytest.raises(RecordsUnavailable, match="lock timeout"):
                records.database.transact(lambda c: c.exec_driver_sql(locked))


def test_whoever_gets_no_connection_is_told_the_same(tmp_path: Path) -> None:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db", patience=0.1)) as records:
        engine = records.database.engine = sa.create_engine(
            records.database.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.1
        )
        with engine.connect(), pytest.raises(RecordsUnavailable, match="all connections"):
            records.events.of_study("1.2")


def test_a_mistake_of_ours_is_no_reason_to_wait(tmp_path: Path) -> None:
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        records.database.transact(lambda c: c.exec_driver_sql("SELECT 1 FROM missing"))
    records.close()


@pytest.mark.parametrize("before", WorkitemState)
@pytest.mark.parametrize("after", REACHED_FROM)
def test_states_follow_the_diagram(
    tmp_path: Path, before: WorkitemState, after: WorkitemState
) -> None:
    records = Records("sqlite://")
    put(records, a_workitem(state=before))
    allowed = before in REACHED_FROM[after]
    if after is WorkitemState.DELIVERING:
        assert records.moves.deliver("1.2.3", "because", []) is allowed
    else:
        assert records.moves.set_state("1.2.3", after, "because") is allowed
    assert records.workitems.one("1.2.3").state == (after if allowed else before)
    assert len(records.events.of_study("1.2")) == allowed
    records.close()


def test_every_kind_of_line_is_written_by_something() -> None:
    """By its name in the code, or as that of the state that is reached."""
    code = "".join(path.read_text() for path in Path(hilum.__file__).parent.rglob("*.py"))
    of_states = {state.value for state in (*REACHED_FROM, *WITHOUT_RUN, *DeliveryState)}
    of_states -= {WorkitemState.DELIVERING, DeliveryState.WAITING}  # these have lines of their own
    unused = [kind for kind in EventKind if f"EventKind.{kind.name}" not in code]
    assert set(unused) <= of_states
    assert of_states <= set(EventKind)


NEXT = a_workitem(id="1.2.4", predecessor="1.2.3")
LINES = [(EventKind.COMPLETE, "whole"), (EventKind.SCHEDULED, "m 1")]
TOGETHER: dict[str, tuple[WorkitemState, Callable[[Records, Workitem], bool]]] = {
    "schedule": (WorkitemState.FAILED, lambda r, _: r.workitems.schedule(NEXT, LINES, "1.2.5")),
    "deliver": (
        WorkitemState.RUNNING,
        lambda r, item: r.moves.deliver(item.id, "written", [a_delivery(item.id, "other")]),
    ),
    "release": (
        WorkitemState.PARKED,
        lambda r, item: r.moves.release(item, ["pacs"], "cured", 1.0),
    ),
    "cancel": (WorkitemState.PARKED, lambda r, item: r.moves.cancel(item, "wrong")),
    "withdraw": (
        WorkitemState.PARKED,
        lambda r, item: r.moves.withdraw(item, NEXT, [a_delivery(NEXT.id)]),
    ),
    "withdraw here": (WorkitemState.PARKED, lambda r, item: r.moves.withdraw_here(item, "wrong")),
}


@pytest.mark.parametrize("step", TOGETHER)
def test_a_step_is_done_whole_or_not_at_all(tmp_path: Path, step: str) -> None:
    """Whatever statement of it the process dies at, nothing of the step is on record."""
    state, act = TOGETHER[step]
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records:
        item = a_workitem(state=state)
        put(records, item, a_delivery(item.id, state=DeliveryState.REFUSED))
        engine = records.database.engine
        before, left = everything(records), 0

        def die(*_said: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

        sa.event.listen(engine, "before_cursor_execute", die)
        for number in range(20):
            left = number
            try:
                assert act(records, item)
            except KeyboardInterrupt:
                left = 1000
                assert everything(records) == before
            else:
                break
        left = 1000
        assert number > 1  # there were moments to die at
        assert everything(records) != before


def everything(records: Records) -> list[object]:
    """All rows of all tables."""
    found: list[object] = []
    for table in tables.metadata.sorted_tables:
        found += records.database.transact(lambda c, t=table: c.execute(t.select()).all())
    return found


@pytest.mark.skipif(bool(disk.why_not()), reason="only root can mount a file to be read only")
def test_a_database_that_cannot_be_written_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "hilum.db"
    with closing(Records(f"sqlite:///{file}")) as records:
        records.events.add("1.2", EventKind.RECEIVING, "before")
    with ExitStack() as stack, ExitStack() as mount:
        mount.enter_context(disk.mounted_read_only(file))
        records = stack.enter_context(closing(Records(f"sqlite:///{file}")))
        impatient = stack.enter_context(closing(Records(f"sqlite:///{file}", patience=0.1)))
        with pytest.raises(RecordsUnavailable, match="readonly"):
            impatient.events.add("1.2", EventKind.RECEIVING, "in vain")
        writing = threading.Thread(
            target=records.events.add, args=("1.2", EventKind.RECEIVING, "after")
        )
        writing.start()
        writing.join(0.5)
        assert writing.is_alive()
        mount.close()
        writing.join(PATIENCE)
        assert [event.text for event in records.events.of_study("1.2")] == ["before", "after"]


def test_a_result_counts_once_and_a_note_is_no_result(tmp_path: Path) -> None:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records:
        done = WorkitemState.COMPLETED
        note = a_workitem(id="note", state=done, kind=WorkitemKind.WITHDRAWAL)
        put(records, a_study(last_at=100.0), a_workitem(id="result", state=done), note)
        shown = [("result", "pacs", 130.0), ("result", "record", 170.0), ("note", "pacs", 190.0)]
        for name, place, at in shown:
            arrived = {"state": DeliveryState.VERIFIED, "verified_at": at}
            put(records, a_delivery(name, place, **arrived))
        assert records.flow.arrivals(50.0) == [ShownResult(100.0, 130.0)]
        assert records.flow.arrivals(150.0) == [], "it was shown before"


def test_what_arrived_lately_is_not_looked_for_among_all_deliveries(tmp_path: Path) -> None:
    """There are a hundred thousand of them, and a few days are asked for."""
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records:
        engine, asked = records.database.engine, []
        sa.event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
        records.flow.arrivals(50.0)
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1])
            steps = [row.detail for row in plan]
    assert "ix_study_last_at" in steps[0], steps
    assert not any("ix_delivery_state" in step for step in steps), steps
