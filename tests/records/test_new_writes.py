"""Who looks at the records only when something was written misses nothing."""

from contextlib import closing

import sqlalchemy as sa

from hilum.records import Records
from hilum.records.new_writes import NewWrites
from hilum.records.states import EventKind


def test_each_change_of_somebody_else_is_told_once(database: str) -> None:
    with (
        closing(Records(database)) as ours,
        closing(Records(database)) as theirs,
        closing(NewWrites(ours.database)) as changes,
    ):
        assert changes.are_there(), "nobody has looked yet"
        assert not changes.are_there()
        for writer in (theirs, ours):
            writer.events.add("1.2", EventKind.RECEIVING, "came")
            writer.events.add("1.2", EventKind.RECEIVING, "came, too")
            assert changes.are_there()
            assert not changes.are_there()
        assert theirs.events.of_study("1.2")
        assert not changes.are_there(), "to look changes nothing"


def test_what_is_not_committed_is_no_change_yet(database: str) -> None:
    with closing(Records(database)) as records, closing(NewWrites(records.database)) as changes:
        write = sa.text("UPDATE alembic_version SET version_num = version_num")
        with records.database.engine.connect() as connection:
            connection.execute(write)
            changes.are_there()
            assert not changes.are_there()
            connection.commit()
        assert changes.are_there()


def test_a_database_that_does_not_answer_counts_as_changed(database: str) -> None:
    with closing(Records(database)) as records, closing(NewWrites(records.database)) as changes:
        changes.are_there()
        assert changes._connection and changes._connection.driver_connection
        changes._connection.driver_connection.close()  # as one that the database has ended
        assert changes.are_there(), "nobody knows"
        assert changes.are_there(), "nobody knows what happened meanwhile"
        assert not changes.are_there()
