"""How long the analyses of each module took, counted as each of them ends.

So nobody who asks for the numbers of years has every event of these years read.
"""

import time
from dataclasses import dataclass
from math import inf

import sqlalchemy as sa

from hilum.dicom.uids import MADE_UP
from hilum.records import tables
from hilum.records.database import Database, insert_once
from hilum.records.models.workitems import Workitem
from hilum.records.rows import Rows
from hilum.records.states import EventKind

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)  # s

duration = tables.duration.c


@dataclass(frozen=True)
class Duration:
    """How many analyses of a module took longer than one of `BOUNDS` and `at_most` the next (s).

    `seconds` is how long they took together.
    """

    module: str
    at_most: float
    number: int
    seconds: float


class DurationRecords:
    """The numbers of all modules."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.duration, Duration)

    def all(self) -> list[Duration]:
        """Of each module those that there are."""
        return self._rows.find()


def count_ended(connection: sa.Connection, item: Workitem) -> None:
    """Count an analysis that ends now.

    Not where it is not on record when it began, nor where the study was made up.
    """
    if item.study_uid.startswith(MADE_UP):
        return
    event = tables.event.c
    began_at = connection.execute(
        sa.select(sa.func.max(event.at)).where(
            event.study_uid == item.study_uid,
            event.workitem_id == item.id,
            event.kind == EventKind.RUNNING,
        )
    ).scalar()
    if began_at is not None:
        count(connection, item.module, max(0.0, time.time() - began_at))


def count(connection: sa.Connection, module: str, seconds: float) -> None:
    """Count an analysis of `module` that took so long."""
    at_most = next((bound for bound in BOUNDS if seconds <= bound), inf)
    key = {"module": module, "at_most": at_most}
    insert_once(connection, tables.duration, {**key, "number": 0, "seconds": 0.0})
    connection.execute(
        tables.duration.update()
        .where(duration.module == module, duration.at_most == at_most)
        .values(number=duration.number + 1, seconds=duration.seconds + seconds)
    )
