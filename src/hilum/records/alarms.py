"""Since when something is wrong. Whether it still is, is asked anew each time (hilum.alarms)."""

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
        """When each began, by its name."""
        return {begun.name: begun.since for begun in self._rows.find()}

    def begin(self, begun: AlarmSince) -> None:
        """Record that an alarm has begun."""
        self._rows.add(begun)

    def end(self, name: str) -> None:
        """Forget it, because it has ended."""
        self._rows.remove(alarm.name == name)
