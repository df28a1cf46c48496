"""When each alarm began. Whether it still lasts is asked anew each time (hilum.alarms)."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models import AlarmSince
from hilum.records.rows import Rows

alarm = tables.alarm.c


class AlarmRecords:
    """The alarms that have begun and not ended."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.alarm, AlarmSince)

    def since(self) -> dict[str, float]:
        """The time at which each began, by its name."""
        return {begun.name: begun.since for begun in self._rows.find()}

    def begin(self, begun: AlarmSince) -> None:
        """Record that an alarm has begun."""
        self._rows.add(begun)

    def end(self, name: str) -> None:
        """Forget an alarm, because it has ended."""
        self._rows.remove(alarm.name == name)
