"""The steps of worklists that ask for a module on a study."""

import sqlalchemy as sa

from hilum.records import events, tables
from hilum.records.database import Database
from hilum.records.models.requests import WorklistStep
from hilum.records.rows import Rows, insert
from hilum.records.states import STEPS_OPEN, EventKind

step = tables.step.c


class StepRecords:
    """The steps of all worklists."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.step, WorklistStep)

    def open_of(self, worklist: str) -> list[WorklistStep]:
        """Those of one worklist that have not ended, in the order in which they last changed."""
        return self._rows.find(
            step.worklist == worklist, step.state.in_(STEPS_OPEN), order_by=step.since
        )

    def of_study(self, study_uid: str) -> list[WorklistStep]:
        """Those that ask for something on this study."""
        return self._rows.find(step.study_uid == study_uid, order_by=step.since)

    def get(self, worklist: str, uid: str) -> WorklistStep | None:
        """The step of a worklist with this UID; None if it was never offered."""
        return self._rows.first(step.worklist == worklist, step.uid == uid)

    def add(self, new: WorklistStep, text: str) -> bool:
        """Record a step, and say so in the trace of its study; False if it was recorded before."""

        def record(connection: sa.Connection) -> bool:
            is_new = insert(connection, tables.step, new)
            if is_new:
                _tell(connection, new, text)
            return is_new

        return self._database.transact(record)

    def note(self, now: WorklistStep, text: str = "") -> None:
        """Note how a step stands, and `text` in the trace of its study.

        Whether it is to be canceled is noted by others, at any time.
        """
        values = {key: value for key, value in vars(now).items() if key != "cancel_asked"}

        def note(connection: sa.Connection) -> None:
            of_it = (step.worklist == now.worklist, step.uid == now.uid)
            self._rows.update(connection, *of_it, **values)
            if text:
                _tell(connection, now, text)

        self._database.transact(note)

    def ask_cancel(self, worklist: str, uid: str) -> bool:
        """Note that somebody wants a step canceled; False if it is none of ours, or has ended."""
        of_it = (step.worklist == worklist, step.uid == uid)
        return self._rows.change(*of_it, step.state.in_(STEPS_OPEN), cancel_asked=True) > 0

    def heed_cancel(self, now: WorklistStep) -> None:
        """Note that something was done about that."""
        of_it = (step.worklist == now.worklist, step.uid == now.uid)
        self._rows.change(*of_it, cancel_asked=False)


def _tell(connection: sa.Connection, now: WorklistStep, text: str) -> None:
    text = f"{now.worklist}: {text}"
    events.write(connection, now.study_uid, EventKind.WORKLIST, text, now.workitem_id)
