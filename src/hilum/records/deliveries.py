"""What every destination still has to show, and when it is tried again."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.records import events, tables
from hilum.records.database import Database
from hilum.records.models import Delivery
from hilum.records.rows import Rows, insert, select
from hilum.records.states import OWED, UNSENT, DeliveryState, EventKind

delivery = tables.delivery.c


class DeliveryRecords:
    """The deliveries to all destinations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.delivery, Delivery)

    # Which there are ------------------------------------------------------------------------------

    def one(self, workitem_id: str, destination: str) -> Delivery:
        """The delivery of a workitem to a destination; `LookupError` if there is none."""
        return self._rows.one(
            delivery.workitem_id == workitem_id, delivery.destination == destination
        )

    def of_workitem(self, workitem_id: str) -> list[Delivery]:
        """The deliveries of one workitem."""
        return self.of_workitems([workitem_id])

    def of_workitems(self, workitem_ids: Iterable[str]) -> list[Delivery]:
        """The deliveries of several workitems, by the name of the destination."""
        return self._rows.find(
            delivery.workitem_id.in_(workitem_ids), order_by=delivery.destination
        )

    def owed(self) -> list[Delivery]:
        """The deliveries that are still owed."""
        return self._rows.find(delivery.state.in_(OWED))

    def owed_of(self, workitem_ids: Iterable[str]) -> list[Delivery]:
        """The owed deliveries of several workitems, the oldest first."""
        of_them = delivery.workitem_id.in_(workitem_ids)
        return self._rows.find(of_them, delivery.state.in_(OWED), order_by=delivery.owed_at)

    def refused_of(self, workitem_id: str) -> list[Delivery]:
        """The deliveries of a workitem that a destination refused."""
        is_refused = delivery.state == DeliveryState.REFUSED
        return self._rows.find(delivery.workitem_id == workitem_id, is_refused)

    def parked(self, destination: str = "") -> list[str]:
        """Ids of the workitems that a destination refused, or this one if it is named.

        Without those that another result has replaced.
        """
        workitem = tables.workitem.c
        query = (
            sa.select(delivery.workitem_id)
            .join(tables.workitem, workitem.id == delivery.workitem_id)
            .where(delivery.state == DeliveryState.REFUSED, workitem.superseded_by.is_(None))
            .order_by(delivery.owed_at)
        )
        if destination:
            query = query.where(delivery.destination == destination)
        return list(dict.fromkeys(row.workitem_id for row in select(self._database, query)))

    def first_due(self, destination: str, now: float) -> Delivery | None:
        """Of the deliveries that are due, the one that was owed first."""
        is_owed = (delivery.destination == destination, delivery.state.in_(OWED))
        return self._rows.first(*is_owed, delivery.next_attempt <= now, order_by=delivery.owed_at)

    def next_due(self, destination: str) -> float | None:
        """The time at which the next one is due; None if nothing is owed."""
        earliest = sa.func.min(delivery.next_attempt).label("at")
        is_owed = (delivery.destination == destination, delivery.state.in_(OWED))
        (row,) = select(self._database, sa.select(earliest).where(*is_owed))
        return None if row.at is None else float(row.at)

    def last_verified(self, study_uid: str) -> float:
        """The time at which a destination last showed a result of the study; 0 if none ever did."""
        workitem = tables.workitem.c
        query = (
            sa.select(sa.func.max(delivery.verified_at).label("at"))
            .join(tables.workitem, workitem.id == delivery.workitem_id)
            .where(workitem.study_uid == study_uid)
        )
        (row,) = select(self._database, query)
        return float(row.at or 0.0)

    def counts(self) -> dict[str, dict[DeliveryState, int]]:
        """The number of deliveries in each state, by destination."""
        count = sa.func.count().label("number")
        query = sa.select(delivery.destination, delivery.state, count)
        found: dict[str, dict[DeliveryState, int]] = {}
        for row in select(self._database, query.group_by(delivery.destination, delivery.state)):
            found.setdefault(row.destination, {})[DeliveryState(row.state)] = row.number
        return found

    # What becomes of them -------------------------------------------------------------------------

    def delay(self, of: Delivery, text: str, next_attempt: float) -> None:
        """Note that an attempt has failed, and when the next one is made."""
        self._note(of, DeliveryState.DELAYED, text, next_attempt=next_attempt)

    def refuse(self, of: Delivery, text: str) -> None:
        """Note that the destination does not take it as it is."""
        self._note(of, DeliveryState.REFUSED, text)

    def verify(self, of: Delivery, text: str, at: float) -> None:
        """Note that the destination has shown it."""
        self._note(of, DeliveryState.VERIFIED, text, verified_at=at)

    def note_cancelled(self, of: Delivery, text: str) -> None:
        """Note that it is not sent."""
        self._note(of, DeliveryState.CANCELLED, text)

    def cancel(self, workitem_id: str, reason: str) -> int:
        """Cancel what was not sent yet of a workitem; how many deliveries that is."""
        return self._database.transact(lambda c: cancel(c, workitem_id, reason))

    def hurry(self, workitem_id: str) -> int:
        """Make what was delayed of a workitem due at once; how many deliveries that is."""
        is_delayed = delivery.state == DeliveryState.DELAYED
        return self._rows.change(delivery.workitem_id == workitem_id, is_delayed, next_attempt=0.0)

    def hurry_all(self, destination: str, most_attempts: int) -> None:
        """Make what was delayed at a destination due at once, unless it failed more often."""
        self._rows.change(
            delivery.destination == destination,
            delivery.state == DeliveryState.DELAYED,
            delivery.attempts <= most_attempts,
            next_attempt=0.0,
        )

    def _note(self, of: Delivery, state: DeliveryState, text: str, **values: object) -> None:
        """Record how an attempt ended, in the row and in the study's trace."""
        key = [delivery.workitem_id == of.workitem_id, delivery.destination == of.destination]
        if state is not DeliveryState.VERIFIED:
            # a person may have cancelled meanwhile; what was shown is a fact
            key.append(delivery.state.in_(OWED))
        line = text if state is DeliveryState.VERIFIED else f"{of.destination}: {text}"
        values = {"attempts": of.attempts, **values}

        def note(connection: sa.Connection) -> None:
            if self._rows.update(connection, *key, state=state, reason=text, **values):
                workitem = tables.workitem.c
                query = sa.select(workitem.study_uid).where(workitem.id == of.workitem_id)
                study_uid = connection.execute(query).scalar_one()
                events.write(connection, study_uid, EventKind(state), line, of.workitem_id)

        self._database.transact(note)


def owe(connection: sa.Connection, owed: Iterable[Delivery]) -> None:
    """Record new deliveries in the transaction of `connection`."""
    for one in owed:
        insert(connection, tables.delivery, one)


def cancel(connection: sa.Connection, workitem_id: str, reason: str) -> int:
    """Cancel what was not sent yet of a workitem, in the same way; how many deliveries that is."""
    return connection.execute(
        tables.delivery.update()
        .where(delivery.workitem_id == workitem_id, delivery.state.in_(UNSENT))
        .values(state=DeliveryState.CANCELLED.value, reason=reason)
    ).rowcount


def release(connection: sa.Connection, workitem_id: str, destinations: Iterable[str]) -> None:
    """Make what these destinations refused of a workitem due at once, in the same way."""
    connection.execute(
        tables.delivery.update()
        .where(delivery.workitem_id == workitem_id, delivery.destination.in_(destinations))
        .where(delivery.state == DeliveryState.REFUSED)
        .values(state=DeliveryState.WAITING.value, attempts=0, next_attempt=0.0)
    )
