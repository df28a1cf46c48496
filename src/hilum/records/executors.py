"""The processes that work for the engine."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models import Executor
from hilum.records.rows import Rows

executor = tables.executor.c


class ExecutorRecords:
    """Every one that lives, or has died and left its work."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.executor, Executor)

    def all(self) -> list[Executor]:
        """Each of them."""
        return self._rows.find()

    def beat(self, living: Executor) -> None:
        """Note that it lives; it is recorded again if another process took it for dead."""
        if not self._rows.change(executor.id == living.id, beat_at=living.beat_at):
            self._rows.add(living)

    def remove(self, executor_id: str) -> None:
        """Forget it, because its work was taken over."""
        self._rows.remove(executor.id == executor_id)
