"""The rejections on record: the same bounded list as in the memory of the receiver."""

from collections.abc import Sequence

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.rows import Rows, insert
from hilum.rejections import Rejection, Rejections

rejection = tables.rejection.c


class RejectionRecords:
    """What the receiver rejected, why and how often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.rejection, Rejection)

    def since(self, time: float = 0.0) -> list[Rejection]:
        """The rows whose last rejection was after `time`, the latest first."""
        return self._rows.find(rejection.last_at > time, order_by=rejection.last_at.desc())

    def note(self, news: Sequence[Rejection]) -> None:
        """Count `news` in their rows."""
        if not news:
            return

        def count(connection: sa.Connection) -> None:
            rows = Rejections(self._rows.select(connection))
            for one in news:
                rows.add(one)
            self._rows.delete(connection)
            for row in rows:
                insert(connection, tables.rejection, row)

        self._database.transact(count)
