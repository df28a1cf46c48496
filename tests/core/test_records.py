"""Our records wait for their database and keep to the diagram of states."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from factory import a_workitem, put
from hilum.errors import RecordsUnavailable
from hilum.records import Records
from hilum.records.states import REACHED_FROM, EventKind, WorkitemState


@pytest.fixture
def locked(tmp_path: Path):
    """Records whose database another program has locked; call it to end that."""
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    other = sqlite3.connect(tmp_path / "hilum.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    yield tmp_path, lambda: other.execute("COMMIT")
    other.close()
    records.close()


def test_a_locked_database_is_waited_for(locked) -> None:
    folder, unlock = locked
    records = Records(f"sqlite:///{folder}/hilum.db")
    started = time.monotonic()
    threading.Timer(6, unlock).start()  # longer than SQLite itself waits
    records.events.add("1.2", EventKind.RECEIVING, "text")
    assert time.monotonic() - started > 4
    assert [event.text for event in records.events.of_study("1.2")] == ["text"]
    records.close()


def test_whoever_has_less_patience_is_told(locked) -> None:
    folder, unlock = locked
    records = Records(f"sqlite:///{folder}/hilum.db", patience=1)
    with pytest.raises(RecordsUnavailable, match="database is locked"):
        records.events.add("1.2", EventKind.RECEIVING, "text")
    unlock()
    records.close()


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
    assert records.workitems.set_state("1.2.3", after, "because") is allowed
    assert records.workitems.one("1.2.3").state == (after if allowed else before)
    assert len(records.events.of_study("1.2")) == allowed
    records.close()
