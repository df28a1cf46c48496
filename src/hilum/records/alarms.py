"""When each alarm began. Whether it still lasts is asked anew each time (hilum.alarms)."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.records import notices, tables
from hilum.records.database import Database
from hilum.records.models.alarms import BegunAlarm, Notice
from hilum.records.rows import Rows, insert

alarm = tables.alarm.c


class AlarmRecords:
    """The alarms that have begun and not ended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.alarm, BegunAlarm)

    def begun(self) -> dict[str, BegunAlarm]:
        """Each of them, by its name."""
        return {row.name: row for row in self._rows.find()}

    def begin(self, begun: BegunAlarm, told: Iterable[Notice] = ()) -> None:
        """Record an alarm that has begun or is told again, with what notifiers have to tell."""

        def begin(connection: sa.Connection) -> None:
            self._rows.delete(connection, alarm.name == begun.name)
            insert(connection, tables.alarm, begun)
            notices.owe(connection, told)

        self._database.transact(begin)

    def end(self, name: str, told: Iterable[Notice] = ()) -> None:
        """Forget an alarm, because it has ended, in the same way."""

        def end(connection: sa.Connection) -> None:
            self._rows.delete(connection, alarm.name == name)
            notices.owe(connection, told)

        self._database.transact(end)
