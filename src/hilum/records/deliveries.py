"""What every destination still has to show, and when it is tried again."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.records import events, listing, owing, tables, unreadable
from hilum.records.database import Database
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.rows import Condition, Rows, select
from hilum.records.states import (
    ARRIVED,
    CANCELLABLE,
    OWED,
    PARKED,
    UNSETTLED,
    DeliveryState,
    EventKind,
    WorkitemKind,
)

delivery = tables.delivery.c
_before, _result = tables.delivery.alias(), tables.delivery.alias()
_mine, _other, _about = (tables.workitem.alias() for _ in range(3))


def _after_its_result(note: sa.FromClause, item: sa.FromClause) -> Condition:
    """That a delivery is no `note` of a result that may still arrive there; `item` is free."""
    may_still_arrive = sa.or_(  # nobody releases a result that another one has replaced
        _result.c.state.in_(OWED),
        sa.and_(_result.c.state.in_(PARKED), _about.c.superseded_by.is_(None)),
    )
    return ~sa.exists().where(
        item.c.id == note.c.workitem_id,
        item.c.kind == WorkitemKind.ASSESSMENT.value,
        _about.c.id == item.c.about,
        _result.c.workitem_id == item.c.about,
        _result.c.destination == note.c.destination,
        may_still_arrive,
    )


AFTER_ITS_RESULT = _after_its_result(tables.delivery, _mine)
FIRST_OF_ITS_STUDY = ~sa.exists().where(  # nothing that was owed there earlier of it still is
    _mine.c.id == delivery.workitem_id,
    _other.c.id == _before.c.workitem_id,
    _other.c.study_uid == _mine.c.study_uid,
    _before.c.destination == delivery.destination,
    _before.c.state.in_(OWED),
    _before.c.owed_at < delivery.owed_at,
    # A note may wait for a person who releases its result; others do not wait for them.
    _after_its_result(_before, tables.workitem.alias()),
)

LONGEST_WAIT = 3600.0  # s; no pause between two attempts is as long
HEAD_START_SECONDS = 1800.0  # of an urgent result before others


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
        of_them = delivery.workitem_id.in_(workitem_ids)
        return self._rows.find_readable(
            of_them, order_by=delivery.destination, blank=unreadable.DELIVERY
        )

    def owed(self) -> list[Delivery]:
        """The deliveries that are still owed."""
        return self._rows.find_readable(delivery.state.in_(OWED))

    def owed_of(self, workitem_ids: Iterable[str]) -> list[Delivery]:
        """The owed deliveries of several workitems, the oldest first."""
        of_them = delivery.workitem_id.in_(workitem_ids)
        is_owed = delivery.state.in_(OWED)
        return self._rows.find_readable(of_them, is_owed, order_by=delivery.owed_at)

    def parked_of(self, workitem_id: str) -> list[Delivery]:
        """The deliveries of a workitem that wait until a person has done something."""
        is_parked = delivery.state.in_(PARKED)
        return self._rows.find_readable(delivery.workitem_id == workitem_id, is_parked)

    def parked(self, destination: str = "") -> list[str]:
        """Ids of the workitems that are parked at a destination, or at this one if it is named.

        Without those that another result has replaced.
        """
        workitem = tables.workitem.c
        query = (
            sa.select(delivery.workitem_id)
            .join(tables.workitem, workitem.id == delivery.workitem_id)
            .where(delivery.state.in_(PARKED), workitem.superseded_by.is_(None))
            .order_by(delivery.owed_at)
        )
        if destination:
            query = query.where(delivery.destination == destination)
        return list(dict.fromkeys(row.workitem_id for row in select(self._database, query)))

    def postponed(self, destination: str) -> list[str]:
        """Ids of the workitems of which a delivery there waits for its next attempt or question."""
        waits = (delivery.state.in_(OWED), delivery.next_attempt > 0.0)
        query = sa.select(delivery.workitem_id).where(delivery.destination == destination, *waits)
        rows = select(self._database, query.order_by(delivery.owed_at))
        return [row.workitem_id for row in rows]

    def studies_in(
        self, *states: DeliveryState, owed_before: float | None = None
    ) -> dict[str, list[str]]:
        """The studies with a delivery in one of these states, by destination.

        Without those of results that another one has replaced. `owed_before` (s since 1970) leaves
        out what is owed since later.
        """
        workitem = tables.workitem.c
        query = (
            sa.select(delivery.destination, workitem.study_uid)
            .join(tables.workitem, workitem.id == delivery.workitem_id)
            .where(delivery.state.in_(states), workitem.superseded_by.is_(None))
            .order_by(delivery.destination, delivery.owed_at)
        )
        if owed_before is not None:
            query = query.where(delivery.owed_at < owed_before)
        found: dict[str, dict[str, None]] = {}
        for row in select(self._database, query):
            found.setdefault(row.destination, {})[row.study_uid] = None
        return {destination: list(uids) for destination, uids in found.items()}

    def oldest_owed(self) -> dict[str, float]:
        """Since when the oldest delivery that is owed to each destination is."""
        oldest = sa.func.min(delivery.owed_at).label("at")
        query = sa.select(delivery.destination, oldest).where(delivery.state.in_(OWED))
        rows = select(self._database, query.group_by(delivery.destination))
        return {row.destination: float(row.at) for row in rows}

    def arrived_in(self, destination: str, period: tuple[float, float]) -> list[Delivery]:
        """What arrived at a destination in a period (s since 1970), in the order it was owed."""
        first, last = period
        at = delivery.verified_at
        is_there = (delivery.destination == destination, delivery.state.in_(ARRIVED))
        in_period = (at >= first, at <= last)
        return self._rows.find_readable(*is_there, *in_period, order_by=delivery.owed_at)

    def first_due(self, destination: str, now: float, in_order: bool = False) -> Delivery | None:
        """Of the deliveries that are due, the one that was owed first.

        An urgent one counts as if it were owed `HEAD_START_SECONDS` longer, so none waits for ever.
        What a reader said of a result comes after the result.
        `in_order`: none comes before what was owed earlier of the same study.
        """
        is_owed = (delivery.destination == destination, delivery.state.in_(OWED))
        has_waited = delivery.next_attempt <= now
        is_of_another_clock = delivery.next_attempt > now + LONGEST_WAIT  # it was set back since
        is_due = (sa.or_(has_waited, is_of_another_clock), *_in_turn(in_order))
        head_start = sa.case((delivery.urgent, HEAD_START_SECONDS), else_=0.0)
        order = delivery.owed_at - head_start
        return self._rows.first_readable(*is_owed, *is_due, order_by=order)

    def next_due(self, destination: str, in_order: bool = False) -> float | None:
        """The time at which the next one is due, in the same way; None if nothing is owed."""
        earliest = sa.func.min(delivery.next_attempt).label("at")
        is_owed = (delivery.destination == destination, delivery.state.in_(OWED))
        query = sa.select(earliest).where(*is_owed, *_in_turn(in_order))
        (row,) = select(self._database, query)
        return None if row.at is None else float(row.at)

    def last_arrival(self, study_uid: str) -> float:
        """The time at which a result of the study last arrived; 0 if none ever did."""
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

    def accept(self, of: Delivery, text: str, next_ask: float) -> None:
        """Note that all of it was taken and is not shown yet, and when it is asked for again.

        The trace says so once, however often it is asked for.
        """
        values = {
            "asks": of.asks,
            "accepted_at": of.accepted_at,
            "resend": of.resend,
            "next_attempt": next_ask,
        }
        if of.state is not DeliveryState.ASKED:
            self._note(of, DeliveryState.ASKED, text, **values)
            return
        key = (delivery.workitem_id == of.workitem_id, delivery.destination == of.destination)
        is_asked = delivery.state == DeliveryState.ASKED
        self._rows.change(*key, is_asked, reason=text, **values)

    def park(self, of: Delivery, state: DeliveryState, text: str) -> None:
        """Note that a person has to do something, by a state of `PARKED`."""
        values = {"filed_as": of.filed_as, "accepted_at": of.accepted_at}
        self._note(of, state, text, resend=False, **values)

    def arrive(self, of: Delivery, state: DeliveryState, text: str, at: float) -> None:
        """Note that it has arrived, by a state of `ARRIVED`."""
        values = {"verified_at": at, "filed_as": of.filed_as, "accepted_at": of.accepted_at}
        self._note(of, state, text, resend=False, **values)

    def note_cancelled(self, of: Delivery, text: str) -> None:
        """Note that it is not sent, or that nobody has to do anything about it any more."""
        self._note(of, DeliveryState.CANCELLED, text)

    def cancel(self, item: Workitem, reason: str) -> int:
        """Cancel what was not sent yet of a workitem, with a line; how many deliveries that is."""

        def record(connection: sa.Connection) -> int:
            unsent = (delivery.workitem_id == item.id, delivery.state.in_(CANCELLABLE))
            query = sa.select(delivery.destination).where(*unsent).order_by(delivery.destination)
            if destinations := connection.execute(query).scalars().all():
                text = f"{', '.join(destinations)}: {reason}"
                events.write(connection, item.study_uid, EventKind.CANCELLED, text, item.id)
            cancelled = owing.cancel(connection, item.id, reason)
            listing.refresh(connection, item.study_uid)
            return cancelled

        return self._database.transact(record)

    def hurry(self, workitem_id: str) -> int:
        """Make what is owed of a workitem due at once; how many deliveries had to wait."""
        waits = (delivery.state.in_(OWED), delivery.next_attempt > 0.0)
        return self._rows.change(delivery.workitem_id == workitem_id, *waits, next_attempt=0.0)

    def note_commitment(self, workitem_id: str, destination: str) -> bool:
        """Make one delivery due at once, because an answer to a request for commitment came.

        That may be after we have given up asking for it. False if nobody waits for it any more.
        """
        of_one = (delivery.workitem_id == workitem_id, delivery.destination == destination)

        def note(connection: sa.Connection) -> bool:
            given_up = delivery.state == DeliveryState.NOT_SHOWN
            if self._rows.update(connection, *of_one, given_up, state=DeliveryState.ASKED):
                listing.refresh(connection, _study_of(connection, workitem_id))
            is_owed = delivery.state.in_(OWED)
            return self._rows.update(connection, *of_one, is_owed, next_attempt=0.0) > 0

        return self._database.transact(note)

    def hurry_all(self, destination: str, most_attempts: int) -> None:
        """Make what is owed to a destination due at once, unless it failed more often."""
        self._rows.change(
            delivery.destination == destination,
            delivery.state.in_(OWED),
            delivery.attempts <= most_attempts,
            next_attempt=0.0,
        )

    def _note(self, of: Delivery, state: DeliveryState, text: str, **values: object) -> None:
        """Record how an attempt ended, in the row and in the study's trace.

        Errors begin with the name of the destination, which stands beside each reason anyway.
        """
        text = text.removeprefix(f"{of.destination}: ")
        key = [delivery.workitem_id == of.workitem_id, delivery.destination == of.destination]
        if state not in ARRIVED:
            # a person may have cancelled meanwhile; what has arrived is a fact
            before = UNSETTLED if state is DeliveryState.CANCELLED else OWED
            key.append(delivery.state.in_(before))
        line = text if state in ARRIVED else f"{of.destination}: {text}"
        values = {"attempts": of.attempts, **values}

        def note(connection: sa.Connection) -> None:
            if self._rows.update(connection, *key, state=state, reason=text, **values):
                study_uid = _study_of(connection, of.workitem_id)
                events.write(connection, study_uid, EventKind(state), line, of.workitem_id)
                listing.refresh(connection, study_uid)

        self._database.transact(note)


def _in_turn(in_order: bool) -> tuple[Condition, ...]:
    """What has to be so that a delivery is the next one; `in_order` as in `first_due`."""
    return (AFTER_ITS_RESULT, FIRST_OF_ITS_STUDY) if in_order else (AFTER_ITS_RESULT,)


def _study_of(connection: sa.Connection, workitem_id: str) -> str:
    workitem = tables.workitem.c
    query = sa.select(workitem.study_uid).where(workitem.id == workitem_id)
    return str(connection.execute(query).scalar_one())
