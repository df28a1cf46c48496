"""From one state to another: workitems, and what changes together with their state."""

from collections.abc import Callable, Iterable, Mapping

import sqlalchemy as sa

from hilum.records import events, listing, owing, tables
from hilum.records.database import Database
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.rows import Condition, insert
from hilum.records.states import DELIVERED, REACHED_FROM, UNSETTLED, EventKind, WorkitemState

workitem = tables.workitem.c


class MoveRecords:
    """The moves of workitems: each is one transaction, with the line in the trace.

    A move returns False, and nothing is done, where the state is not reached from the one that the
    workitem is in.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_state(self, workitem_id: str, state: WorkitemState, reason: str = "") -> bool:
        """Move a workitem to `state`, which is not *delivering*: see the methods below."""
        return self._move(workitem_id, state, reason, None, lambda _connection: None)

    def put_back(self, workitem_id: str, why: str) -> bool:
        """Have it wait again, because the server that computes its module is away.

        The run does not count.
        """

        def uncount(connection: sa.Connection) -> None:
            values = {workitem.runs: workitem.runs - 1, workitem.failure: why}
            connection.execute(
                tables.workitem.update().where(workitem.id == workitem_id).values(values)
            )

        reason = f"{why}; it waits, and is tried again"
        return self._move(workitem_id, WorkitemState.SCHEDULED, reason, None, uncount)

    def deliver(self, workitem_id: str, reason: str, owed: Iterable[Delivery]) -> bool:
        """Move a workitem whose results are written to *delivering*, with all its deliveries.

        Without one of them it would look delivered.
        """

        def owe(connection: sa.Connection) -> None:
            owing.owe(connection, owed)

        return self._move(workitem_id, WorkitemState.DELIVERING, reason, EventKind.WRITTEN, owe)

    def release(
        self,
        item: Workitem,
        destinations: Iterable[str],
        reason: str,
        at: float,
        variants: Mapping[str, str] | None = None,
        notes: Iterable[tuple[Workitem, Delivery]] = (),
    ) -> bool:
        """Move a parked workitem to *delivering*; what is parked of it there is due at once.

        `at` is when a person asked for that (s since 1970).
        `variants` are those that destinations receive from now on, and `notes`, with the delivery
        of each, take back what they took of another one.
        """

        def release(connection: sa.Connection) -> None:
            owing.release(connection, item.id, destinations, variants or {}, at)
            for note, owed in notes:
                insert(connection, tables.workitem, note)
                owing.owe(connection, [owed])

        return self._move(item.id, WorkitemState.DELIVERING, reason, EventKind.RELEASED, release)

    def resend(self, item: Workitem, destination: str, reason: str, at: float) -> bool:
        """Move a workitem that is delivered to *delivering*: a destination may lack some of it.

        What another destination has refused of it stays so.
        """

        def resend(connection: sa.Connection) -> None:
            owing.resend(connection, item.id, destination, at)

        state, kind = WorkitemState.DELIVERING, EventKind.RELEASED
        return self._move(item.id, state, reason, kind, resend, DELIVERED)

    def send(self, item: Workitem, owed: Iterable[Delivery], reason: str) -> bool:
        """Move a workitem that is delivered to *delivering*, with new deliveries.

        One that was cancelled before is owed again.
        """

        def owe(connection: sa.Connection) -> None:
            owing.owe_again(connection, owed)

        state, kind = WorkitemState.DELIVERING, EventKind.RELEASED
        return self._move(item.id, state, reason, kind, owe, DELIVERED)

    def cancel(self, item: Workitem, reason: str) -> bool:
        """Move a workitem to *cancelled*; what was not sent yet of it is not sent any more.

        One that failed, too, of which nothing was sent: a person leaves it as it is.
        """
        before = (*REACHED_FROM[WorkitemState.CANCELLED], WorkitemState.FAILED)

        def cancel(connection: sa.Connection) -> None:
            owing.cancel(connection, item.id, reason)

        return self._move(item.id, WorkitemState.CANCELLED, reason, None, cancel, before)

    def withdraw(self, item: Workitem, note: Workitem, owed: Iterable[Delivery]) -> bool:
        """Move a workitem that is taken back to *withdrawn*, with the note and its deliveries.

        Nothing of its result is sent or asked for any more, or waits for a person.
        """

        def take_back(connection: sa.Connection) -> None:
            insert(connection, tables.workitem, note)
            owing.owe(connection, owed)
            owing.cancel(connection, item.id, "the result was taken back", UNSETTLED)

        reason = f"taken back by note {note.id}"
        return self._move(item.id, WorkitemState.WITHDRAWN, reason, None, take_back)

    def withdraw_here(self, item: Workitem, reason: str) -> bool:
        """Move a workitem to *withdrawn* without a note, as `withdraw` does with one."""

        def cancel(connection: sa.Connection) -> None:
            owing.cancel(connection, item.id, reason, UNSETTLED)

        return self._move(item.id, WorkitemState.WITHDRAWN, reason, None, cancel)

    def _move(
        self,
        workitem_id: str,
        state: WorkitemState,
        reason: str,
        kind: EventKind | None,
        together: Callable[[sa.Connection], None],
        reached_from: Iterable[WorkitemState] = (),
    ) -> bool:
        """Move a workitem to `state`; what is done `together` is done in the same transaction."""
        is_allowed: tuple[Condition, ...] = (
            workitem.id == workitem_id,
            workitem.state.in_(tuple(reached_from) or REACHED_FROM[state]),
        )

        def move(connection: sa.Connection) -> bool:
            study_uid = connection.execute(
                tables.workitem.update()
                .where(*is_allowed)
                .values(state=state.value, reason=reason)
                .returning(workitem.study_uid)
            ).scalar()
            if study_uid is None:
                return False
            said = kind or EventKind(state)
            events.write(connection, study_uid, said, reason or state, workitem_id)
            together(connection)
            listing.refresh(connection, study_uid)
            return True

        return self._database.transact(move)
