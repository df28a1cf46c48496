"""Rows that are put back into the database from their copies."""

import time

import sqlalchemy as sa

from hilum.inbox import digest
from hilum.records import listing, tables
from hilum.records.copies import BY_STUDY, BY_WORKITEM, Row, StudyRows, newest_event
from hilum.records.database import insert_once
from hilum.records.states import ARRIVED, OWED, PARKED, SourceState


def put_back(connection: sa.Connection, study_uid: str, rows: StudyRows) -> bool:
    """Put the rows of one study in the place of older ones; whether they were newer.

    What is owed to a destination is due at once.
    """
    copied = max((event["id"] for event in rows["event"]), default=0)
    if newest_event(connection, study_uid) >= copied:
        return False
    ids = sa.select(tables.workitem.c.id).where(tables.workitem.c.study_uid == study_uid)
    for table in BY_WORKITEM:
        connection.execute(table.delete().where(table.c.workitem_id.in_(ids)))
    for table in BY_STUDY:
        connection.execute(table.delete().where(table.c.study_uid == study_uid))
    for table in (*BY_STUDY, *BY_WORKITEM):
        if rows[table.name]:
            connection.execute(table.insert(), rows[table.name])
    delivery = tables.delivery.c
    of_study = delivery.workitem_id.in_([item["id"] for item in rows["workitem"]])
    connection.execute(tables.delivery.update().where(of_study).values(next_attempt=0.0))
    for study in rows[tables.study.name]:
        listing.add(connection, study_uid, study["last_at"])
        listing.follow(connection, study_uid, study["last_at"])
        listing.refresh(connection, study_uid)
    if rows[tables.removal.name]:
        listing.forget_patient(connection, study_uid)
    return True


def put_cursors_back(connection: sa.Connection, cursors: dict[str, str]) -> None:
    """Put back how far each archive was watched that is not on record."""
    values = {"state": SourceState.STARTING.value, "since": time.time()}
    for name, cursor in cursors.items():
        insert_once(connection, tables.source, {"name": name, "cursor": cursor, **values})


def put_pauses_back(connection: sa.Connection, pauses: list[Row]) -> None:
    """Put back what people have paused: nothing goes where they do not want it."""
    for pause in pauses:
        insert_once(connection, tables.pause, pause)


def go_on_counting(connection: sa.Connection) -> None:
    """Let PostgreSQL number new lines after those that were put back; SQLite does so itself."""
    if connection.dialect.name == "postgresql" and (last := newest_event(connection)):
        sequence = sa.func.pg_get_serial_sequence(tables.event.name, "id")
        connection.execute(sa.select(sa.func.setval(sequence, last)))


def study_folders(connection: sa.Connection) -> set[str]:
    """The names of the folders of all studies on record."""
    return {
        digest(uid) for uid in connection.execute(sa.select(tables.study.c.study_uid)).scalars()
    }


def owed_and_arrived(connection: sa.Connection) -> tuple[int, int]:
    """How many deliveries are still owed or parked, and how many have arrived."""
    state = tables.delivery.c.state
    query = sa.select(sa.func.count()).select_from(tables.delivery)
    owed, arrived = (
        connection.execute(query.where(state.in_(states))).scalar_one()
        for states in ((*OWED, *PARKED), ARRIVED)
    )
    return owed, arrived
