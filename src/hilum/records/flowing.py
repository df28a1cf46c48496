"""How the work flows: how much waits at each step, since when, and what came of the last hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.studies import wait_of
from hilum.records.real import is_real
from hilum.records.rows import select
from hilum.records.states import (
    ARRIVED,
    OWED,
    PARKED,
    DeliveryState,
    StudyWait,
    WorkitemKind,
    WorkitemState,
)
from hilum.records.studies import IS_GONE, IS_UNJUDGED

study = tables.study.c
workitem = tables.workitem.c
delivery = tables.delivery.c


@dataclass(frozen=True)
class Backlog:
    """How many wait at one step, and since when the oldest does (s since 1970)."""

    count: int
    oldest: float | None


@dataclass(frozen=True)
class ShownResult:
    """A result that arrived: when the last image of its study had come, and when it was shown."""

    complete_at: float
    shown_at: float


@dataclass(frozen=True)
class TroubledWorkitem:
    """A workitem of a module that failed, or waits for a person; `at` is when it was made."""

    at: float
    module: str
    state: WorkitemState


@dataclass(frozen=True)
class OwedDelivery:
    """A delivery as a destination was to have it: since when, and when it was shown, if it is."""

    destination: str
    state: DeliveryState
    owed_at: float
    shown_at: float | None


@dataclass(frozen=True)
class ParkedDelivery:
    """A delivery that waits for a person, and the workitem whose result it is."""

    study_uid: str
    workitem_id: str
    module: str
    state: DeliveryState
    reason: str
    owed_at: float
    is_parked_elsewhere: bool  # at another destination, too


class FlowRecords:
    """Looks over all studies, workitems and deliveries; it changes nothing.

    What waits is told of all of them, and what came of them of the real ones (`is_real`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def assembling(self) -> Backlog:
        """Studies of which images may still come."""
        is_open = (study.settled_images == 0, ~IS_GONE, ~IS_UNJUDGED)
        return self._backlog(tables.study, study.first_at, *is_open)

    def waiting(self) -> dict[StudyWait, int]:
        """How many open studies wait for what."""
        unjudged = sa.case((IS_UNJUDGED, study.reason), else_="")
        query = sa.select(unjudged.label("reason"), sa.func.count().label("number"))
        query = query.where(study.settled_images == 0, ~IS_GONE).group_by(unjudged)
        found: dict[StudyWait, int] = {}
        for row in select(self._database, query):
            wait = wait_of(row.reason)
            found[wait] = found.get(wait, 0) + row.number
        return found

    def unjudged(self) -> Backlog:
        """Studies that wait for something else than images."""
        return self._backlog(tables.study, study.last_at, IS_UNJUDGED)

    def in_state(self, state: WorkitemState) -> Backlog:
        """Workitems in a state."""
        return self._backlog(tables.workitem, workitem.created, workitem.state == state)

    def owed(self) -> Backlog:
        """Deliveries that nobody but Hilum has to do something about."""
        return self._deliveries(OWED)

    def parked(self) -> Backlog:
        """Deliveries that wait for a person."""
        return self._deliveries(PARKED)

    def owed_since(self, since: float) -> list[OwedDelivery]:
        """What was owed to all destinations after `since`, without what was cancelled."""
        shown_at = sa.func.coalesce(delivery.verified_at, delivery.accepted_at)
        columns = (delivery.destination, delivery.state, delivery.owed_at)
        query = sa.select(*columns, shown_at.label("shown_at")).where(
            delivery.owed_at >= since, delivery.state != DeliveryState.CANCELLED
        )
        return [
            OwedDelivery(row.destination, DeliveryState(row.state), row.owed_at, row.shown_at)
            for row in select(self._database, query)
        ]

    def backlogs(self) -> dict[str, Backlog]:
        """How much is owed to each destination, and since when."""
        columns = [sa.func.count().label("number"), sa.func.min(delivery.owed_at).label("oldest")]
        query = sa.select(delivery.destination, *columns).where(delivery.state.in_(OWED))
        rows = select(self._database, query.group_by(delivery.destination))
        return {row.destination: Backlog(row.number, row.oldest) for row in rows}

    def arrived_since(self, since: float) -> dict[str, int]:
        """How many deliveries arrived after `since`, by destination."""
        shown_at = sa.func.coalesce(delivery.verified_at, delivery.accepted_at)
        count = sa.func.count().label("number")
        query = sa.select(delivery.destination, count).where(
            delivery.state.in_(ARRIVED), shown_at >= since
        )
        rows = select(self._database, query.group_by(delivery.destination))
        return {row.destination: row.number for row in rows}

    def parked_at(self, destination: str, most: int) -> list[ParkedDelivery]:
        """The oldest deliveries that wait for a person at a destination, at most so many.

        Without those of results that another one has replaced.
        """
        other = tables.delivery.alias()
        elsewhere = sa.exists().where(
            other.c.workitem_id == delivery.workitem_id,
            other.c.destination != delivery.destination,
            other.c.state.in_(PARKED),
        )
        columns = (delivery.workitem_id, delivery.state, delivery.reason, delivery.owed_at)
        query = (
            sa.select(workitem.study_uid, workitem.module, *columns, elsewhere.label("elsewhere"))
            .join(tables.workitem, workitem.id == delivery.workitem_id)
            .where(delivery.destination == destination, delivery.state.in_(PARKED))
            .where(workitem.superseded_by.is_(None))
            .order_by(delivery.owed_at)
            .limit(most)
        )
        return [
            ParkedDelivery(
                row.study_uid,
                row.workitem_id,
                row.module,
                DeliveryState(row.state),
                row.reason,
                row.owed_at,
                bool(row.elsewhere),
            )
            for row in select(self._database, query)
        ]

    def first_images(self, since: float) -> list[float]:
        """When the first image came of each study of which the last one came after `since`."""
        query = sa.select(study.first_at).where(study.last_at >= since, study.first_at >= since)
        query = query.where(is_real(study.study_uid))
        return [row.first_at for row in select(self._database, query)]

    def arrivals(self, since: float) -> list[ShownResult]:
        """Results that arrived after `since`, as far as their destination can prove it.

        A result counts once, at the first of its destinations; a note about one is none.
        """
        arrived_at = sa.func.coalesce(delivery.verified_at, delivery.accepted_at)
        # of each workitem, not of all joined: that would begin with every delivery there ever was
        first = sa.select(sa.func.min(arrived_at)).where(
            delivery.workitem_id == workitem.id, delivery.state.in_(ARRIVED)
        )
        results = (
            sa.select(study.last_at, workitem.kind, first.scalar_subquery().label("shown_at"))
            .select_from(tables.study)
            .join(tables.workitem, workitem.study_uid == study.study_uid)
            .where(study.last_at >= since, is_real(study.study_uid))
            .subquery()
        )
        query = sa.select(results).where(results.c.shown_at >= since)
        return [
            ShownResult(row.last_at, row.shown_at)
            for row in select(self._database, query)
            if row.kind == WorkitemKind.RUN  # not asked for: it would begin with every workitem
        ]

    def troubles(self, since: float) -> list[TroubledWorkitem]:
        """The workitems made after `since` that failed, or wait for a person."""
        states = (WorkitemState.FAILED, WorkitemState.HELD, WorkitemState.PARKED)
        query = sa.select(workitem.created, workitem.module, workitem.state).where(
            workitem.state.in_(states), workitem.created >= since, is_real(workitem.study_uid)
        )
        return [
            TroubledWorkitem(row.created, row.module, WorkitemState(row.state))
            for row in select(self._database, query)
        ]

    def mark(self) -> str:
        """A short text that differs once something happened: an event, an alarm, a pause."""
        newest: list[sa.ColumnElement[Any]] = [
            sa.select(sa.func.max(column)).scalar_subquery()
            for column in (
                tables.event.c.id,
                tables.alarm.c.since,
                tables.destination.c.since,
                tables.source.c.since,
                tables.pause.c.since,
                tables.pause.c.ended_at,
            )
        ]
        count = sa.select(sa.func.count()).select_from(tables.alarm).scalar_subquery()
        query = sa.select(*newest, count)
        (row,) = select(self._database, query)
        return "-".join("" if value is None else f"{value:.15g}" for value in row)

    def _deliveries(self, states: Sequence[DeliveryState]) -> Backlog:
        return self._backlog(tables.delivery, delivery.owed_at, delivery.state.in_(states))

    def _backlog(
        self, table: sa.Table, since: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]
    ) -> Backlog:
        columns = [sa.func.count().label("number"), sa.func.min(since).label("oldest")]
        query = sa.select(*columns).select_from(table).where(*where)
        (row,) = select(self._database, query)
        return Backlog(int(row.number), row.oldest)
