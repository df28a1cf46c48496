"""The processes that work for the engine."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.standings import Executor
from hilum.records.rows import Rows

executor = tables.executor.c
DEAD_SECONDS = 30.0  # without a sign of life, on another host; on ours the kernel is asked


class ExecutorRecords:
    """The executors that live, or have died and left work behind."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.executor, Executor)

    def all(self) -> list[Executor]:
        """All executors."""
        return self._rows.find()

    def last_signs(self) -> dict[str, float]:
        """When an executor of each role last showed that it lives."""
        last: dict[str, float] = {}
        for row in self.all():
            last[row.role] = max(row.beat_at, last.get(row.role, 0.0))
        return last

    def beat(self, living: Executor) -> None:
        """Note that an executor lives. It is recorded again if another process took it for dead."""
        if not self._rows.change(executor.id == living.id, beat_at=living.beat_at):
            self._rows.add(living)

    def remove(self, executor_id: str) -> None:
        """Forget an executor, because its work was taken over."""
        self._rows.remove(executor.id == executor_id)
