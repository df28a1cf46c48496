"""Whatever is changed in the file of the audit trail is found."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.audit import AuditStore
from hilum.audit.chain import MOST_TOLD
from hilum.audit.entry import CONTENT, ChainHead
from hilum.audit.store import AuditFilter

from .trails import DAY, Clock, a_note, auditor, fill

ENTRIES = 8
REST = ", ".join((*CONTENT, "previous", "hash"))
COLUMNS = (*CONTENT, "number", "previous", "hash")
TRIGGERS = ("entry_stays", "entry_is_kept", "entry_is_last")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ChainHead]]:
    """A trail that is not used any more, and its head."""
    data = tmp_path_factory.mktemp("trail") / "data"
    with auditor(data) as made:
        fill(made, ENTRIES)
        head = made.store.head()
    assert head
    yield data, head


def tampered(written: Path, statements: list[tuple[str, list[Any]]]) -> AuditStore:
    """A copy in which somebody who knows SQL has done something, in spite of the triggers."""
    copy = written.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(written, copy)
    store = AuditStore(copy / "audit.db")
    with closing(sqlite3.connect(store.file)) as connection, connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        for sql, values in statements:
            connection.execute(sql, values)
    return store


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "at": st.floats(0, 4e9),
    "number": st.integers(-(2**60), 2**60),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(1, ENTRIES)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, list[Any]]]:
    """A change of one value, the removal of some rows, a new row, or two that change places."""
    one, other = draw(NUMBERS), draw(NUMBERS)
    kind = draw(st.sampled_from(["change", "remove", "insert", "exchange", "move"]))
    if kind == "change":
        column = draw(st.sampled_from(COLUMNS))
        value = draw(VALUES.get(column, TEXTS))
        return [(f"UPDATE OR IGNORE entry SET {column} = ? WHERE number = ?", [value, one])]
    if kind == "remove":
        return [("DELETE FROM entry WHERE number BETWEEN ? AND ?", [one, other])]
    columns = ", ".join(c for c in COLUMNS if c != "number")
    copied = f"INSERT INTO entry (number, {columns}) SELECT ?, {columns} FROM entry WHERE number=?"
    if kind == "insert":
        return [(copied, [draw(st.integers(-5, 0) | st.integers(ENTRIES + 1, 20)), one])]
    away = "UPDATE entry SET number = ? WHERE number = ?"
    if kind == "move":
        return [(away, [1000, one]), (away.replace("= ?", "= number - 1", 1), [one + 1])]
    return [(away, [1000, one]), (away, [one, other]), (away, [other, 1000])]


@given(changes())
@settings(deadline=None)
def test_any_single_change_of_the_rows_is_found(
    written: tuple[Path, ChainHead], change: list[tuple[str, list[Any]]]
) -> None:
    data, head = written
    store = tampered(data, change)
    with closing(store), closing(sqlite3.connect(store.file)) as connection:
        query = f"SELECT {', '.join(COLUMNS)} FROM entry ORDER BY number"
        with closing(sqlite3.connect(data / "audit.db")) as before:
            is_same = before.execute(query).fetchall() == connection.execute(query).fetchall()
        report = store.verify(head)
        assert report.is_whole is is_same, (change, report)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE entry SET person = 'mallory' WHERE number = 3", "entry 3 was changed"),
        ("DELETE FROM entry WHERE number = 3", "between the entries 2 and 4 some are missing"),
        ("DELETE FROM entry WHERE number < 3", "before entry 3 some are missing, and no purge"),
        ("UPDATE entry SET hash = 'x' WHERE number = 3", "entry 4 does not follow entry 3"),
        ("DELETE FROM entry WHERE number > 5", "the end is cut off: entry 8 was there"),
        ("DELETE FROM entry", "the end is cut off: entry 8 was there"),
    ],
)
def test_what_is_wrong_is_said(written: tuple[Path, ChainHead], sql: str, fault: str) -> None:
    with closing(tampered(written[0], [(sql, [])])) as store:
        assert fault in "; ".join(store.verify(written[1]).faults)


def test_a_chain_that_is_sealed_anew_is_found_by_the_head(tmp_path: Path) -> None:
    """Whoever may write the file can make a whole other trail; the head was elsewhere."""
    with auditor(tmp_path / "true") as true, auditor(tmp_path / "false") as false:
        fill(true, 5)
        true.store.add(a_note(person="mallory"))
        fill(false, 6)
        assert false.store.verify().is_whole
        (fault,) = false.store.verify(true.store.head()).faults
        assert fault == "entry 6 is not the one that was exported as the head"
        fill(true, 3)
        assert true.store.verify(ChainHead(6, true.store.after(5, 1)[0].hash)).is_whole


def test_many_faults_are_counted(written: tuple[Path, ChainHead], tmp_path: Path) -> None:
    with auditor(tmp_path / "long") as long:
        fill(long, 2 * MOST_TOLD)
    with closing(tampered(tmp_path / "long", [("UPDATE entry SET person = 'x'", [])])) as store:
        faults = store.verify().faults
        assert len(faults) == MOST_TOLD + 1
        assert faults[-1] == f"and {MOST_TOLD} more"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET person = 'mallory' WHERE number = 2",
        "DELETE FROM entry WHERE number = 1",
        "DELETE FROM entry",
        "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE number = 2",
        f"INSERT INTO entry SELECT 9, {REST} FROM entry WHERE number = 8",
    ],
)
def test_the_database_itself_refuses_it(written: tuple[Path, ChainHead], sql: str) -> None:
    with (
        closing(sqlite3.connect(written[0] / "audit.db")) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(sql)


def test_a_purge_leaves_a_trail_that_verifies(tmp_path: Path) -> None:
    clock = Clock()
    with auditor(tmp_path / "data", clock) as made:
        fill(made, 5)
        head = made.store.head()
        assert head
        clock.now += 200 * DAY
        fill(made, 3)
        assert made.purge(183, upto=3) == 3
        assert made.purge(183, upto=100) == 2
        assert made.purge(183, upto=100) == 0
        assert [entry.number for entry in made.store.after(0, 100)] == [6, 7, 8, 9, 10]
        assert made.store.verify(head).is_whole  # it is of those that were purged
        clock.now += 200 * DAY
        fill(made, 1)
        assert made.purge(183, upto=100) == 5  # the first purges, too
        assert made.store.verify(head).is_whole
        (last, purged) = made.store.latest(AuditFilter(), 2)
        assert (purged.object, last.object) == ("1.2.3", "10")
    with closing(sqlite3.connect(tmp_path / "data" / "audit.db")) as connection:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("DELETE FROM entry WHERE number = 11")
        connection.execute("DROP TRIGGER entry_is_kept")
        connection.execute("DELETE FROM entry WHERE number = 11")
        connection.commit()
    with closing(AuditStore(tmp_path / "data" / "audit.db")) as store:
        assert not store.verify().is_whole


def test_a_clock_that_was_wrong_once_hides_nothing_from_a_purge(tmp_path: Path) -> None:
    """What is older than what stands before it stays until that is old, too."""
    with auditor(tmp_path / "data", clock := Clock()) as made:
        clock.now += 900 * DAY
        fill(made, 1)
        clock.now -= 900 * DAY
        fill(made, 2)
        clock.now += 800 * DAY
        assert made.purge(183, upto=100) == 0
        clock.now += 300 * DAY
        assert made.purge(183, upto=100) == 3
        assert made.store.verify().is_whole


def test_what_was_purged_is_not_in_the_file(tmp_path: Path) -> None:
    with auditor(tmp_path / "data", clock := Clock()) as made:
        made.store.add(a_note(patient_id="MARKER-4711"))
        clock.now += 200 * DAY
        assert made.purge(183, upto=1) == 1
    assert all(b"MARKER" not in file.read_bytes() for file in (tmp_path / "data").iterdir())


def test_several_writers_make_one_chain(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()

    def write() -> None:
        with auditor(data) as made:
            fill(made, 20)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with auditor(data) as made:
        report = made.store.verify()
        assert (report.entries, report.faults) == (80, ())
