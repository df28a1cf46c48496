"""What people have paused."""

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.standings import NotedPause
from hilum.records.rows import Rows, insert
from hilum.records.states import PausedKind

pause = tables.pause.c


class PauseRecords:
    """The pauses of destinations, sources, worklists and modules: the last one of each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.pause, NotedPause)

    def all(self) -> list[NotedPause]:
        """Those that last, by kind and name."""
        return self._rows.find(pause.ended_at.is_(None), order_by=pause.kind + pause.name)

    def of(self, kind: PausedKind) -> dict[str, NotedPause]:
        """Those of one kind that last, by name."""
        return {one.name: one for one in self._rows.find(*_lasting(kind))}

    def get(self, kind: PausedKind, name: str) -> NotedPause | None:
        """The pause of this one; None while it is not paused."""
        return self._rows.first(*_lasting(kind), pause.name == name)

    def ended(self, kind: PausedKind) -> dict[str, float]:
        """When the last pause of each ended (s since 1970), without those that last."""
        over = self._rows.find(pause.kind == kind, pause.ended_at.is_not(None))
        return {one.name: one.ended_at for one in over if one.ended_at is not None}

    def begin(self, new: NotedPause) -> bool:
        """Note it; False if it is paused already, by whomever."""

        def note(connection: sa.Connection) -> bool:
            if insert(connection, tables.pause, new):
                return True
            over = (*_called(new.kind, new.name), pause.ended_at.is_not(None))
            return self._rows.update(connection, *over, **vars(new)) > 0

        return self._database.transact(note)

    def end(self, kind: PausedKind, name: str, at: float) -> bool:
        """Let it go on; False if it is not paused."""
        lasting = (*_called(kind, name), pause.ended_at.is_(None))
        return self._rows.change(*lasting, ended_at=at) > 0


def _called(kind: PausedKind, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return pause.kind == kind, pause.name == name


def _lasting(kind: PausedKind) -> tuple[sa.ColumnElement[bool], ...]:
    return pause.kind == kind, pause.ended_at.is_(None)
