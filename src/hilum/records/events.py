"""The trace of every study: its events, in the order in which they happened."""

import time
from collections.abc import Iterable

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.studies import Event
from hilum.records.rows import Rows, select
from hilum.records.states import EventKind

Line = tuple[EventKind, str]

event = tables.event.c


class EventRecords:
    """The events of all studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.event, Event)

    def add(self, study_uid: str, kind: EventKind, text: str, workitem_id: str = "") -> int:
        """Append one line to the trace of a study; its id."""
        return self._database.transact(
            lambda connection: write(connection, study_uid, kind, text, workitem_id)
        )

    def restate(self, number: int, text: str) -> None:
        """Change what the event with this id says."""
        self._rows.change(event.id == number, text=text)

    def of_study(self, study_uid: str) -> list[Event]:
        """The events of a study in order."""
        return self._rows.find_readable(event.study_uid == study_uid, order_by=event.id)

    def of_kind(self, study_uid: str, kind: EventKind) -> list[Event]:
        """The events of a study of one kind, in order."""
        of_kind = event.kind == kind
        return self._rows.find_readable(event.study_uid == study_uid, of_kind, order_by=event.id)

    def add_once(self, study_uid: str, kind: EventKind, text: str) -> None:
        """Note that something happened to a study, unless an event of it says exactly this."""
        if not self._rows.are_there(event.study_uid == study_uid, event.text == text):
            self.add(study_uid, kind, text)

    def has_study(self, study_uid: str) -> bool:
        """Whether something was noted of this study."""
        return self._rows.are_there(event.study_uid == study_uid)

    def last_moved(self) -> float:
        """When an analysis last began or ended; 0 if none ever did."""
        kinds = (EventKind.RUNNING, EventKind.ANALYSED, EventKind.FAILED)
        last = self._rows.first_readable(event.kind.in_(kinds), order_by=event.id.desc())
        return last.at if last else 0.0

    def studies_ending(self, ending: str) -> list[str]:
        """UIDs that end so, of studies that something was noted of; it looks at every event."""
        uid = event.study_uid
        query = sa.select(uid).where(uid.endswith(ending, autoescape=True)).distinct()
        return [row.study_uid for row in select(self._database, query)]


def write(
    connection: sa.Connection, study_uid: str, kind: EventKind, text: str, workitem_id: str = ""
) -> int:
    """Append one line in the transaction of `connection`; its id."""
    statement = tables.event.insert().values(
        at=time.time(), study_uid=study_uid, kind=kind.value, text=text, workitem_id=workitem_id
    )
    return new_id(connection.execute(statement))


def write_lines(
    connection: sa.Connection, study_uid: str, lines: Iterable[Line], workitem_id: str = ""
) -> None:
    """Append several lines to the trace of a study."""
    for kind, text in lines:
        write(connection, study_uid, kind, text, workitem_id)


def new_id(inserted: sa.CursorResult[tuple[int]]) -> int:
    """The number that the database gave to a new row."""
    (number,) = inserted.inserted_primary_key or (0,)
    return int(number)
