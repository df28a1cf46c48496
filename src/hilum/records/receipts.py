"""Of every object at every destination: when it was sent, and what was answered."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.answers import Acceptance
from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models import Delivery, DeliveryReceipt
from hilum.records.rows import Condition, Rows, insert
from hilum.records.states import OWED

receipt = tables.receipt.c


class ReceiptRecords:
    """The receipts of all deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.receipt, DeliveryReceipt)

    def of(self, delivery: Delivery) -> dict[str, DeliveryReceipt]:
        """The receipts of one delivery, by the identity of the object."""
        return {one.identity: one for one in self._rows.find(*_of(delivery))}

    def begin(self, delivery: Delivery, identities: Iterable[str], at: float) -> bool:
        """Note, before they are sent, that nobody knows what becomes of these objects.

        False, and nothing is noted, if the delivery is no longer owed: a person cancelled it.
        """

        def note(connection: sa.Connection) -> bool:
            owed = sa.select(tables.delivery.c.state).where(
                tables.delivery.c.workitem_id == delivery.workitem_id,
                tables.delivery.c.destination == delivery.destination,
                tables.delivery.c.state.in_(OWED),
            )
            if connection.execute(owed).first() is None:
                return False
            known = {one.identity: one for one in self._rows.select(connection, *_of(delivery))}
            for identity in identities:
                times = known[identity].times if identity in known else 0
                one = (*_of(delivery), receipt.identity == identity)
                self._rows.delete(connection, *one)
                row = DeliveryReceipt(
                    delivery.workitem_id,
                    delivery.destination,
                    identity,
                    at,
                    times + 1,
                    Acceptance.UNKNOWN,
                )
                insert(connection, tables.receipt, row)
            return True

        return self._database.transact(note)

    def note(self, delivery: Delivery, answered: Iterable[DeliveryReceipt]) -> None:
        """Note what was answered, in the place of what was known of the same objects."""

        def note(connection: sa.Connection) -> None:
            for one in answered:
                self._rows.delete(connection, *_of(delivery), receipt.identity == one.identity)
                insert(connection, tables.receipt, one)

        self._database.transact(note)

    def forget(self, delivery: Delivery, identities: Iterable[str]) -> None:
        """Forget what was begun and never handed over."""
        self._rows.remove(*_of(delivery), receipt.identity.in_(identities))


def _of(delivery: Delivery) -> tuple[Condition, ...]:
    return (
        receipt.workitem_id == delivery.workitem_id,
        receipt.destination == delivery.destination,
    )
