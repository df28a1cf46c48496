"""The states of sources, worklists and destinations, and since when."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.standings import DestinationStanding, SourceStanding, WorklistStanding
from hilum.records.rows import Rows
from hilum.records.states import DestinationState

source = tables.source.c
destination = tables.destination.c
worklist = tables.worklist.c


class SourceRecords:
    """The sources that were ever watched."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.source, SourceStanding)

    def all(self) -> dict[str, SourceStanding]:
        """All of them, by name."""
        return {standing.name: standing for standing in self._rows.find()}

    def begin(self, new: SourceStanding) -> SourceStanding:
        """Record a source unless it is on record; its state on record."""
        self._rows.add(new)
        return self._rows.one(source.name == new.name)

    def note(self, standing: SourceStanding) -> None:
        """Note the present state."""
        self._rows.change(source.name == standing.name, **vars(standing))


class WorklistRecords:
    """The worklists that were ever asked."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.worklist, WorklistStanding)

    def all(self) -> dict[str, WorklistStanding]:
        """All of them, by name."""
        return {standing.name: standing for standing in self._rows.find()}

    def note(self, standing: WorklistStanding) -> None:
        """Note the present state."""
        if not self._rows.add(standing):
            self._rows.change(worklist.name == standing.name, **vars(standing))


class DestinationRecords:
    """The destinations that were once unreachable, or slow to show something."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.destination, DestinationStanding)

    def all(self) -> dict[str, DestinationStanding]:
        """All of them, by name."""
        return {standing.name: standing for standing in self._rows.find()}

    def get(self, name: str) -> DestinationStanding | None:
        """The destination with this name, if anything was noted of it."""
        return self._rows.first(destination.name == name)

    def note(self, standing: DestinationStanding) -> None:
        """Note the present state."""
        if not self._rows.add(standing):
            known = {key: value for key, value in vars(standing).items() if key != "lag_seconds"}
            self._rows.change(destination.name == standing.name, **known)

    def note_lag(self, name: str, seconds: float) -> None:
        """Note how long it took to show what it was sent, if it never took longer before."""
        new = DestinationStanding(name, DestinationState.REACHABLE, 0.0, lag_seconds=seconds)
        if not self._rows.add(new):
            of_it = (destination.name == name, destination.lag_seconds < seconds)
            self._rows.change(*of_it, lag_seconds=seconds)
