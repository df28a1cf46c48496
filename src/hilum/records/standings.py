"""How the archives stand: those that are watched, and those that results go to."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models import DestinationStanding, SourceStanding
from hilum.records.rows import Rows

source = tables.source.c
destination = tables.destination.c


class SourceRecords:
    """Every archive that was ever watched."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.source, SourceStanding)

    def all(self) -> dict[str, SourceStanding]:
        """Each of them by its name."""
        return {standing.name: standing for standing in self._rows.find()}

    def begin(self, new: SourceStanding) -> SourceStanding:
        """Record one unless it is on record; how it stands there."""
        self._rows.add(new)
        return self._rows.one(source.name == new.name)

    def note(self, standing: SourceStanding) -> None:
        """Note how it stands now."""
        self._rows.change(source.name == standing.name, **vars(standing))


class DestinationRecords:
    """Every destination that was once unreachable."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.destination, DestinationStanding)

    def all(self) -> dict[str, DestinationStanding]:
        """Each of them by its name."""
        return {standing.name: standing for standing in self._rows.find()}

    def get(self, name: str) -> DestinationStanding | None:
        """The one of this name, if it was ever unreachable."""
        return self._rows.first(destination.name == name)

    def note(self, standing: DestinationStanding) -> None:
        """Note how it stands now."""
        if not self._rows.add(standing):
            self._rows.change(destination.name == standing.name, **vars(standing))
