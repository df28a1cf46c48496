"""Of every object at every destination: when it was sent, and what was answered."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import sqlalchemy as sa

from hilum.answers import Acceptance
from hilum.records import owing, tables
from hilum.records.database import Database
from hilum.records.models.deliveries import Delivery, DeliveryReceipt
from hilum.records.rows import Condition, Rows, insert

receipt = tables.receipt.c


class ReceiptRecords:
    """The receipts of all deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.receipt, DeliveryReceipt)

    def of(self, delivery: Delivery) -> dict[str, DeliveryReceipt]:
        """The receipts of one delivery, by the identity of the object."""
        return {one.identity: one for one in self._rows.find(*_of(delivery))}

    def may_have_arrived(self, workitem_id: str) -> bool:
        """Whether any destination took an object of a workitem, or nobody knows."""
        there = receipt.acceptance.in_((Acceptance.TAKEN, Acceptance.UNKNOWN))
        return self._rows.are_there(receipt.workitem_id == workitem_id, there)

    def begin(self, delivery: Delivery, identities: Iterable[str], at: float) -> bool:
        """Note, before they are sent, that nobody knows what becomes of these objects.

        What allowed to send them again is used up by that, and the time in which the destination
        has to show them begins anew: a death after the sending must not lead to another one. False,
        and nothing is noted, if the delivery is no longer owed: a person cancelled it.
        """

        def note(connection: sa.Connection) -> bool:
            if not owing.begin_sending(connection, delivery, at):
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

    def undo(
        self, delivery: Delivery, begun: Iterable[str], before: Mapping[str, DeliveryReceipt]
    ) -> None:
        """Put what was known `before` in the place of what was begun and never handed over.

        What had been taken before may have arrived, and is to be sent again if it is not shown.
        """

        def note(connection: sa.Connection) -> None:
            for identity in begun:
                self._rows.delete(connection, *_of(delivery), receipt.identity == identity)
                known = before.get(identity)
                if known and known.acceptance is Acceptance.TAKEN:
                    known = replace(known, acceptance=Acceptance.UNKNOWN)
                if known:
                    insert(connection, tables.receipt, known)

        self._database.transact(note)


def _of(delivery: Delivery) -> tuple[Condition, ...]:
    return (
        receipt.workitem_id == delivery.workitem_id,
        receipt.destination == delivery.destination,
    )
