"""What is owed to destinations, as it changes together with other rows: within a transaction."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.models.deliveries import Delivery
from hilum.records.rows import insert
from hilum.records.states import ARRIVED, CANCELLABLE, OWED, PARKED, DeliveryState

delivery = tables.delivery.c


def owe(connection: sa.Connection, owed: Iterable[Delivery]) -> None:
    """Record new deliveries."""
    for one in owed:
        insert(connection, tables.delivery, one)


def owe_again(connection: sa.Connection, owed: Iterable[Delivery]) -> None:
    """Record new deliveries in place of what was cancelled to the same destinations."""
    for one in owed:
        of_one = (delivery.workitem_id == one.workitem_id, delivery.destination == one.destination)
        is_cancelled = delivery.state == DeliveryState.CANCELLED
        connection.execute(tables.delivery.delete().where(*of_one, is_cancelled))
        insert(connection, tables.delivery, one)


def begin_sending(connection: sa.Connection, of: Delivery, at: float) -> bool:
    """Note that objects of an owed delivery are sent; False if it is not owed."""
    is_taken = delivery.accepted_at.is_not(None)
    of_one = (delivery.workitem_id == of.workitem_id, delivery.destination == of.destination)
    return bool(
        connection.execute(
            tables.delivery.update()
            .where(*of_one, delivery.state.in_(OWED))
            .values(resend=False, accepted_at=sa.case((is_taken, at), else_=None))
        ).rowcount
    )


def cancel(
    connection: sa.Connection,
    workitem_id: str,
    reason: str,
    states: Iterable[DeliveryState] = CANCELLABLE,
) -> int:
    """Cancel what was not sent yet of a workitem; how many deliveries that is.

    Or what is in one of `states`.
    """
    return connection.execute(
        tables.delivery.update()
        .where(delivery.workitem_id == workitem_id, delivery.state.in_(states))
        .values(state=DeliveryState.CANCELLED.value, reason=reason)
    ).rowcount


def resend(connection: sa.Connection, workitem_id: str, destination: str, at: float) -> None:
    """Make a delivery that has arrived due at once; what is not shown then is sent once more.

    The time in which the destination has to show it begins `at` (s since 1970).
    """
    connection.execute(
        tables.delivery.update()
        .where(delivery.workitem_id == workitem_id, delivery.destination == destination)
        .where(delivery.state.in_(ARRIVED))
        .values(
            state=DeliveryState.WAITING.value,
            attempts=0,
            asks=0,
            next_attempt=0.0,
            accepted_at=at,
            resend=True,
        )
    )


def release(
    connection: sa.Connection,
    workitem_id: str,
    destinations: Iterable[str],
    variants: Mapping[str, str],
    at: float,
) -> None:
    """Make what is parked of a workitem at these destinations due at once.

    A destination among `variants` receives that variant from now on.

    What was taken is asked for first; what is not shown then may be sent again, because a person
    wants it. The time in which the destination has to show it begins `at` (s since 1970).
    """
    connection.execute(
        tables.delivery.update()
        .where(delivery.workitem_id == workitem_id, delivery.destination.in_(destinations))
        .where(delivery.state.in_(PARKED))
        .values(
            state=DeliveryState.WAITING.value,
            attempts=0,
            asks=0,
            next_attempt=0.0,
            accepted_at=sa.case((delivery.accepted_at.is_not(None), at), else_=None),
            resend=delivery.state != DeliveryState.REFUSED,
        )
    )
    for destination, variant in variants.items():
        one = (delivery.workitem_id == workitem_id, delivery.destination == destination)
        connection.execute(tables.delivery.update().where(*one).values(variant=variant))
