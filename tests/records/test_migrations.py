"""The tables of an older Hilum become those of this one, and no other program's are touched."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from hilum.errors import OtherVersionError
from hilum.process import die_with_parent, fork_server, own_start_time
from hilum.records import Records, migrations, schema, tables
from hilum.records.migrations.others import still_there
from hilum.records.migrations.versions import v0017_modules_passed_over
from hilum.records.schema import SchemaAge
from hilum.records.states import WorkitemState
from hilum.rejections import Rejection, RejectionKind
from tests.factory import a_study, a_workitem, put

from . import databases
from .databases import BETWEEN, DEAD_SECONDS, OLD, connected, make_new, make_old, run, upgraded

STATES = (OLD, *BETWEEN)


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Columns, keys and indexes of our tables, as the database itself describes them."""
    asked = sa.inspect(connection)
    return {
        table: {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"])
                for column in asked.get_columns(table)
            ),
            "key": asked.get_pk_constraint(table)["constrained_columns"],
            "unique": [one["column_names"] for one in asked.get_unique_constraints(table)],
            "indexes": sorted(
                (one["name"], one["column_names"], one["unique"])
                for one in asked.get_indexes(table)
            ),
        }
        for table in asked.get_table_names()
    }


def require_same_tables(url: str) -> None:
    """Fail unless the tables at `url` are those of `tables`."""
    with connected(url) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
        migrated = shape(connection)
        tables.metadata.drop_all(connection)
        schema.VERSION.drop(connection)
    Records(url).close()
    with connected(url) as connection:
        assert migrated == shape(connection)


def test_every_step_from_an_empty_database_leads_to_the_tables(database: str) -> None:
    folder = Path(migrations.__file__).parent
    script = ScriptDirectory(folder)
    assert script.get_current_head() == schema.HEAD
    numbers = [step.revision for step in script.walk_revisions()]
    assert numbers == [f"{n:04}" for n in range(len(numbers), 0, -1)]
    with connected(database) as connection:
        migrations.run_steps(connection)
    require_same_tables(database)


@pytest.mark.parametrize("commit", STATES)
def test_the_tables_of_an_older_hilum_become_ours(database: str, commit: str) -> None:
    make_old(database, commit)
    with connected(database) as connection:
        assert schema.age_of(connection) is SchemaAge.OLDER
    for _ in range(2):
        assert upgraded(database) == schema.HEAD
    require_same_tables(database)


def test_how_long_older_analyses_took_is_counted(database: str) -> None:
    make_old(database)
    old = sa.MetaData()
    with connected(database) as connection:
        old.reflect(connection)
        item = vars(a_workitem(id="run", study_uid="1.2", module="m"))
        known = old.tables["workitem"].columns.keys()
        blank = {"rule": {}, "inputs": {}, "siblings": [], "verdicts": [], "findings": None}
        row = {name: value for name, value in {**item, **blank}.items() if name in known}
        connection.execute(old.tables["workitem"].insert(), [row])
        about = {"study_uid": "1.2", "text": ""}
        happened = [
            ("running", 10.0, "run"),  # it was broken off
            ("running", 100.0, "run"),
            ("analysed", 100.2, "run"),
            ("running", 200.0, "run"),
            ("analysed", 9200.0, "run"),
            ("analysed", 300.0, "of another Hilum"),
        ]
        lines = [{"kind": k, "at": at, "workitem_id": of, **about} for k, at, of in happened]
        connection.execute(old.tables["event"].insert(), lines)
    upgraded(database)
    with closing(Records(database)) as records:
        found = {one.at_most: (one.number, one.seconds) for one in records.durations.all()}
    assert found == {0.25: (1, pytest.approx(0.2)), float("inf"): (1, pytest.approx(9000.0))}


def test_rows_keep_their_meaning(database: str) -> None:
    """A run, a note that takes its result back, a study that was not run; and two destinations."""
    make_old(database)
    old = sa.MetaData()
    with connected(database) as connection:
        old.reflect(connection)
        empty = {
            "rule": {"module": "m"},
            "siblings": [],
            "verdicts": [],
            "reason": "",
            "launch": 0,
            "runs": 0,
        }
        about = {"module": "m", "version": "1", "title": "M", "weights_sha256": "", "rule_key": "k"}
        about |= {"study_uid": "1.2", "created": 1.0, **empty}
        rows = [
            {"id": "run", "state": "completed", "inputs": {"series": ["a.dcm"]}, **about},
            {"id": "note", "state": "delivering", "inputs": {}, **about},
            {"id": "none", "state": "held", "inputs": {}, **about},
            {"id": "broken off", "state": "running", "inputs": {"series": ["b.dcm"]}, **about},
        ]
        connection.execute(old.tables["workitem"].insert(), rows)
        came = {"study_uid": "1.2", "folder": "f", "images": 3, "settled_images": 3}
        connection.execute(old.tables["study"].insert(), {**came, "first_at": 1.0, "last_at": 2.0})
        results = [
            {
                "sop_instance_uid": f"1.2.{workitem}",
                "variant": "v",
                "workitem_id": workitem,
                "kind": kind,
                "sop_class_uid": "1.3",
                "path": f"/srv/hilum/results/{workitem}/{kind}-1.dcm",
            }
            for workitem, kind in (("run", "sr"), ("note", "ko"), ("broken off", "sr"))
        ]
        connection.execute(old.tables["result"].insert(), results)
        places = [
            {"name": n, "state": n, "since": 1.0, "problem": ""} for n in ("answers", "silent")
        ]
        connection.execute(old.tables["destination"].insert(), places)
    upgraded(database)
    records = Records(database)
    kinds = {item.id: item.kind.value for item in records.workitems.of_study("1.2")}
    assert kinds == {"run": "run", "broken off": "run", "note": "withdrawal", "none": "not run"}
    paths = {name: [str(r.path) for r in records.results.of_workitem(name)] for name in kinds}
    assert paths == {
        "run": ["results/run/sr-1.dcm"],
        "note": ["results/note/ko-1.dcm"],
        "none": [],
        "broken off": [],  # it is written again; these were owed to nobody
    }
    assert records.database.transact(
        lambda c: c.execute(sa.select(tables.listing.c.assessments)).scalars().all()
    ) == ["|not assessed|"]
    reached = {n: place.state.value for n, place in records.destinations.all().items()}
    assert reached == {"answers": "reachable", "silent": "unreachable"}
    records.close()


def test_lists_of_before_tell_modules_from_those_that_were_not_applicable(database: str) -> None:
    with closing(Records(database)) as records:
        put(records, a_study(study_uid="1.2"))
        for module, state in (("a", "completed"), ("b", "not applicable"), ("c", "failed")):
            item = a_workitem(id=module, study_uid="1.2", module=module, state=WorkitemState(state))
            put(records, item)
    run(database, "UPDATE listing SET modules = '|a|b|c|'")
    run(database, "ALTER TABLE listing DROP COLUMN passed_over")
    with connected(database) as connection:
        with Operations.context(MigrationContext.configure(connection)):  # the step alone
            v0017_modules_passed_over.upgrade()
        line = sa.select(tables.listing.c.modules, tables.listing.c.passed_over)
        assert connection.execute(line).all() == [("|a|c|", "|b|")]


def test_what_was_rejected_is_still_listed(database: str) -> None:
    make_old(database, BETWEEN[-1])
    values = "'calling AE title', '10.0.0.7', 'CT2', 'HILUM', 'not allowed', 1.0, 2.0, 3"
    run(database, f"INSERT INTO refused VALUES ({values})")
    upgraded(database)
    with closing(Records(database)) as records:
        caller = RejectionKind.CALLER
        row = Rejection(caller, "10.0.0.7", "CT2", "HILUM", "not allowed", 1.0, 2.0, 3)
        assert records.rejections.since() == [row]


def test_an_empty_database_gets_the_tables_and_their_version(database: str) -> None:
    Records(database).close()
    with connected(database) as connection:
        assert schema.age_of(connection) is SchemaAge.CURRENT


def test_tables_that_another_process_makes_meanwhile_are_ours(database: str) -> None:
    """It begins when somebody else has looked for the first time, and is done before the second."""
    engine = sa.create_engine(database)
    others = iter([lambda: Records(database).close()])

    @sa.event.listens_for(engine, "after_cursor_execute")
    def looked(*_said: object) -> None:
        for other in others:
            other()

    with engine.connect() as connection:
        assert schema.age_of(connection) is SchemaAge.CURRENT
    engine.dispose()


def test_processes_that_come_at_once_do_it_once(database: str) -> None:
    """Eight processes open an empty database, then bring an old one up to date."""
    with fork_server(databases.__name__).Pool(4, die_with_parent) as pool:
        pool.map(make_new, [database] * 8)
        with connected(database) as connection:
            tables.metadata.drop_all(connection)
            schema.VERSION.drop(connection)
        make_old(database)
        assert pool.map(upgraded, [database] * 8) == [schema.HEAD] * 8
    require_same_tables(database)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0999", "made by a newer Hilum.*0999.*install that Hilum again"),
        ("e3f1c2a4b5d6", "another program.*a database of its own"),
    ],
)
def test_tables_that_no_step_leads_from_are_refused(
    database: str, version: str, words: str
) -> None:
    Records(database).close()
    run(database, f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(OtherVersionError, match=words):
        Records(database)
    with pytest.raises(OtherVersionError, match=words):
        upgraded(database)


@pytest.mark.parametrize("missing", sorted(schema.FIRST_TABLES))
def test_tables_that_are_too_old_are_refused(database: str, missing: str) -> None:
    make_old(database)
    run(database, f"DROP TABLE {missing}")
    with pytest.raises(OtherVersionError, match=rf"missing: {missing}\).*empty data folder"):
        upgraded(database)


@pytest.mark.parametrize("table", ["event", "executor"])
def test_a_table_of_another_program_with_a_name_of_ours_is_refused(
    database: str, table: str
) -> None:
    run(database, f"CREATE TABLE {table} (what TEXT)")
    with pytest.raises(OtherVersionError, match=r"missing: .*workitem.*a database of its own"):
        upgraded(database)
    with pytest.raises(OtherVersionError, match=r"missing: .*workitem.*a database of its own"):
        Records(database)


def test_an_old_database_is_not_touched_but_by_the_service(database: str) -> None:
    make_old(database)
    with connected(database) as connection:
        before = shape(connection)
    with pytest.raises(OtherVersionError, match="older Hilum: `hilum serve` brings them up"):
        Records(database)
    with connected(database) as connection:
        assert shape(connection) == before


def test_a_step_that_fails_leaves_the_database_as_it_was(database: str) -> None:
    make_old(database)
    run(database, "ALTER TABLE result RENAME COLUMN path TO place")  # the third step fails
    with connected(database) as connection:
        before = shape(connection)
    with pytest.raises(sa.exc.DBAPIError, match="path"):
        upgraded(database)
    with connected(database) as connection:
        assert shape(connection) == before
    run(database, "ALTER TABLE result RENAME COLUMN place TO path")
    assert upgraded(database)
    require_same_tables(database)


def sign_of_life(
    url: str, host: str, pid: int, started: str, beat_at: float, executor: str = "gateway-1"
) -> None:
    """Note a gateway as one that works on the records at `url`."""
    with connected(url) as connection:
        connection.execute(tables.executor.delete())
        row = {"id": executor, "role": "gateway", "host": host, "pid": pid, "started": started}
        connection.execute(tables.executor.insert().values(**row, beat_at=beat_at))


def test_an_older_hilum_that_still_runs_here_is_stopped_first(database: str) -> None:
    make_old(database)
    sign_of_life(database, socket.gethostname(), os.getpid(), own_start_time(), time.time())
    with pytest.raises(OtherVersionError, match=r"still works on .* \(gateway on .*stop"):
        upgraded(database)
    sign_of_life(database, socket.gethostname(), os.getpid(), "of another process", time.time())
    assert upgraded(database) == schema.HEAD


def test_an_older_hilum_that_still_runs_elsewhere_is_stopped_first(database: str) -> None:
    make_old(database)

    def transact(work: Callable[[sa.Connection], Any]) -> Any:
        """The outcome of `work`; thereafter the other gives a sign of life."""
        with connected(database) as connection:
            outcome = work(connection)
        sign_of_life(database, "elsewhere", 1, "1", time.time())
        return outcome

    with pytest.raises(OtherVersionError, match="gateway on elsewhere"):
        migrations.upgrade(transact, DEAD_SECONDS)
    assert upgraded(database) == schema.HEAD  # it has stopped, and is waited for


def test_a_process_that_begins_elsewhere_during_the_wait_still_runs(database: str) -> None:
    make_old(database)
    sign_of_life(database, "elsewhere", 1, "1", time.time())

    def transact(work: Callable[[sa.Connection], Any]) -> Any:
        """The outcome of `work`; thereafter another gateway begins in the place of the first."""
        with connected(database) as connection:
            outcome = work(connection)
        sign_of_life(database, "new", 1, "1", time.time() - 2 * DEAD_SECONDS, "gateway-2")
        return outcome

    assert still_there(transact, DEAD_SECONDS) == "gateway on new"
