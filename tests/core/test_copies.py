"""Copies of the records beside the images: whatever stands in the database comes back from them."""

import itertools
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hilum.errors import RecordsUnusable
from hilum.inbox import digest
from hilum.records import Records, copies, tables
from hilum.records.copies import BY_STUDY, BY_WORKITEM, Copies, Keeper, rows_of
from hilum.records.restoring import put_back
from hilum.records.soundness import require_as_new
from tests.postgres import Postgres

STUDIES = ("1.2.3", "1.2.4")
TABLES = (*BY_STUDY, *BY_WORKITEM)
TEXTS = ("", "plain", "Grün ÄÖ", "影像", "two\nlines", 'back\\slash "quoted"', "\x01")
JSONS = (None, True, 1.5, "text", [], {}, [{"a": [1, None]}, "b"], {"name": {"inner": [0.1]}})


def value_of(column: sa.Column[Any], choose: random.Random, number: int) -> Any:
    """Something that may stand in a column; in a key it is another one in each row."""
    if column.nullable and choose.random() < 0.3:
        return None
    if isinstance(column.type, sa.Boolean):
        return choose.random() < 0.5
    if isinstance(column.type, sa.Float):
        return choose.uniform(-1e12, 1e12)
    if isinstance(column.type, sa.Integer):
        return number if column.primary_key else choose.randrange(2**31)
    if isinstance(column.type, sa.JSON):
        return choose.choice(JSONS)
    is_key = column.primary_key or column.unique
    return f"{number}" if is_key else choose.choice(TEXTS)[: column.type.length or None]


def fill(records: Records, choose: random.Random) -> None:
    """Rows in every table that belong to each of the studies."""
    numbers = itertools.count(1)
    items = {uid: [f"{uid}.{number}" for number in range(3)] for uid in STUDIES}
    for uid, table in itertools.product(STUDIES, TABLES):
        most = 1 if table.primary_key.columns.keys() == ["study_uid"] else 3
        for row in range(most):
            number = next(numbers)
            values = {column.name: value_of(column, choose, number) for column in table.c}
            belongs = {"study_uid": uid, "workitem_id": items[uid][row]}
            values |= {name: value for name, value in belongs.items() if name in table.c}
            values |= {"id": items[uid][row]} if table is tables.workitem else {}
            records.database.transact(lambda c, t=table, v=values: c.execute(t.insert().values(v)))  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_on_record_of_a_study_comes_back(tmp_path: Path, seed: int) -> None:
    with closing(Records("sqlite://")) as first, closing(Records("sqlite://")) as second:
        fill(first, random.Random(seed))
        follow(first, tmp_path)
        for file in Copies(tmp_path).files():
            copy = Copies(tmp_path).read(file)
            assert copy
            second.database.transact(lambda c, copy=copy: put_back(c, *copy))  # type: ignore[misc]
        for study in STUDIES:
            expected = due_at_once(rows(first, study))
            assert all(expected[table.name] for table in TABLES)
            assert rows(second, study) == expected


def follow(records: Records, data: Path) -> None:
    keeper = Keeper(records.database.transact, data)
    while keeper.follow():
        pass


def rows(records: Records, study: str) -> copies.StudyRows:
    return records.database.transact(lambda c: rows_of(c, [study]))[study]


def due_at_once(rows: copies.StudyRows) -> copies.StudyRows:
    """`rows` as they are put back."""
    return {**rows, "delivery": [{**row, "next_attempt": 0.0} for row in rows["delivery"]]}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


def add(records: Records, table: sa.Table, **values: Any) -> None:
    records.database.transact(lambda c: c.execute(table.insert().values(**values)))


def add_study(records: Records, uid: str) -> None:
    about = {"folder": uid, "images": 1, "settled_images": 0, "first_at": 0.0, "last_at": 0.0}
    add(records, tables.study, study_uid=uid, **about)
    add_line(records, uid, "receiving")


def add_line(records: Records, uid: str, text: str) -> None:
    add(records, tables.event, at=0.0, study_uid=uid, kind="receiving", text=text)


def copy_of(data: Path, uid: str) -> copies.StudyRows:
    copy = Copies(data).read(data / "records" / f"{digest(uid)}.json")
    assert copy
    return copy[1]


def test_the_copies_follow_each_line_and_that_a_study_is_settled(
    records: Records, tmp_path: Path
) -> None:
    keeper = Keeper(records.database.transact, tmp_path)
    for uid in STUDIES:
        add_study(records, uid)
    keeper.follow()
    untouched = (tmp_path / "records" / f"{digest(STUDIES[1])}.json").stat().st_mtime_ns
    add_line(records, STUDIES[0], "more")
    keeper.follow()
    assert [row["text"] for row in copy_of(tmp_path, STUDIES[0])["event"]] == ["receiving", "more"]
    records.studies.settle(STUDIES[0], 1)  # no line says so
    keeper.follow()
    assert copy_of(tmp_path, STUDIES[0])["study"][0]["settled_images"] == 1
    assert Copies(tmp_path).last_event == 3
    again = (tmp_path / "records" / f"{digest(STUDIES[1])}.json").stat().st_mtime_ns
    assert again == untouched
    assert all(file.stat().st_mode & 0o077 == 0 for file in [tmp_path / "records"])


def test_a_keeper_goes_on_where_the_last_one_ended(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "LINES_AT_ONCE", 3)
    for number in range(10):
        add_study(records, f"1.{number}")
    assert Keeper(records.database.transact, tmp_path).follow()  # there is more
    follow(records, tmp_path)
    assert len(Copies(tmp_path).files()) == 10
    keeper = Keeper(records.database.transact, tmp_path)
    while keeper.follow():
        pass
    for file in Copies(tmp_path).files():
        file.unlink()
    keeper.follow()
    assert Copies(tmp_path).files() == []  # nothing new was said


@pytest.mark.parametrize("starts_anew", [False, True])
def test_a_line_that_is_committed_after_a_later_one_is_copied_too(
    postgres: Postgres, tmp_path: Path, starts_anew: bool
) -> None:
    with closing(Records(postgres.database())) as records:
        keeper = Keeper(records.database.transact, tmp_path)
        with records.database.engine.begin() as slow:
            line = {"at": 0.0, "study_uid": STUDIES[0], "kind": "receiving", "text": "slow"}
            slow.execute(tables.event.insert().values(line))
            add_study(records, STUDIES[1])
            keeper.follow()
            assert len(Copies(tmp_path).files()) == 1
        if starts_anew:
            keeper = Keeper(records.database.transact, tmp_path)
        keeper.follow()
        assert [row["text"] for row in copy_of(tmp_path, STUDIES[0])["event"]] == ["slow"]
        assert Copies(tmp_path).last_event == 2


def test_a_copy_shows_one_moment(database: str, tmp_path: Path) -> None:
    with closing(Records(database)) as records, closing(Records(database)) as others:
        add_study(records, STUDIES[0])
        reads: list[str] = []

        def write(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            """Between every two queries something else is written."""
            if statement.startswith("SELECT"):
                reads.append(statement)
                add_line(others, STUDIES[0], f"after {len(reads)} queries")

        sa.event.listen(records.database.engine, "after_cursor_execute", write)
        assert [row["text"] for row in rows(records, STUDIES[0])["event"]] == ["receiving"]
        assert len(reads) == len(TABLES)


def test_copies_with_the_columns_of_another_version_are_written_anew(
    records: Records, tmp_path: Path
) -> None:
    add_study(records, STUDIES[0])
    follow(records, tmp_path)
    last = tmp_path / "records" / "last.json"
    document = json.loads(last.read_text())
    document["columns"]["study"].append("a column that is no more")
    last.write_text(json.dumps(document))
    [file] = Copies(tmp_path).files()
    file.unlink()
    follow(records, tmp_path)
    assert Copies(tmp_path).files() == [file]


def test_a_database_must_be_as_new_as_its_copies(records: Records, tmp_path: Path) -> None:
    require_as_new(records.database.transact, tmp_path)
    add_study(records, STUDIES[0])
    add_study(records, STUDIES[1])
    follow(records, tmp_path)
    require_as_new(records.database.transact, tmp_path)
    last = tables.event.delete().where(tables.event.c.study_uid == STUDIES[1])
    records.database.transact(lambda c: c.execute(last))
    with pytest.raises(RecordsUnusable, match=r"older than .* number 1, not 2.*`hilum recover`"):
        require_as_new(records.database.transact, tmp_path)
    records.database.transact(lambda c: c.execute(tables.event.delete()))
    with pytest.raises(RecordsUnusable, match=r"the database is empty, but .*`hilum recover`"):
        require_as_new(records.database.transact, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"rows": 1}', b'{"study_uid": "1"}'])
def test_a_copy_that_is_none_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    assert Copies(tmp_path).read(file) is None
