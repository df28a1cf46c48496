"""The runs of all modules with what an export tells of them, a portion at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from hilum.records import tables, unreadable
from hilum.records.assessed import Assessment
from hilum.records.database import Database
from hilum.records.models.workitems import WorkitemOutline
from hilum.records.real import is_real
from hilum.records.rows import Condition, TableRows
from hilum.records.states import WorkitemKind

PORTION = 500  # runs that are held in memory at one time

workitem = tables.workitem.c
line = tables.listing.c
OUTLINES = TableRows(tables.workitem, WorkitemOutline)
ASSESSMENTS = TableRows(tables.assessment, Assessment)


@dataclass(frozen=True)
class ExportFilter:
    """Which runs are wanted: made from `since` until before `until` (s since 1970), of `modules`.

    Of all modules where none is named.
    """

    since: float = 0.0
    until: float = float("inf")
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedRun:
    """A run, what readers said of it, and what the line of its study says of the patient."""

    item: WorkitemOutline
    said: tuple[Assessment, ...]
    study_date: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    accession_number: str = field(repr=False)


class ExportRecords:
    """All runs, without those of studies that were made up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self, wanted: ExportFilter) -> Iterator[ExportedRun]:
        """The runs that are wanted, by their ids; those made meanwhile may be among them."""
        last = ""
        while ids := self._database.transact(partial(_ids, wanted=wanted, after=last)):
            yield from self._database.transact(partial(_portion, ids=ids))
            last = ids[-1]


def _ids(connection: sa.Connection, wanted: ExportFilter, after: str) -> list[str]:
    conditions: list[Condition] = [
        workitem.id > after,
        workitem.kind == WorkitemKind.RUN,
        is_real(workitem.study_uid),
        workitem.created >= wanted.since,
    ]
    if wanted.until != float("inf"):  # PostgreSQL and SQLite compare it otherwise
        conditions.append(workitem.created < wanted.until)
    if wanted.modules:
        conditions.append(workitem.module.in_(wanted.modules))
    query = sa.select(workitem.id).where(*conditions).order_by(workitem.id).limit(PORTION)
    return list(connection.execute(query).scalars())


def _portion(connection: sa.Connection, ids: Sequence[str]) -> list[ExportedRun]:
    items = OUTLINES.select_readable(
        connection, workitem.id.in_(ids), order_by=workitem.id, blank=unreadable.WORKITEM
    )
    said = ASSESSMENTS.select(
        connection,
        tables.assessment.c.workitem_id.in_(ids),
        order_by=tables.assessment.c.number,
    )
    columns = (line.study_date, line.patient_id, line.issuer, line.accession_number)
    studies = line.study_uid.in_({item.study_uid for item in items})
    query = sa.select(line.study_uid, *columns).where(studies)
    about = {row[0]: tuple(row[1:]) for row in connection.execute(query)}
    return [
        ExportedRun(
            item,
            tuple(one for one in said if one.workitem_id == item.id),
            *about.get(item.study_uid, ("", "", "", "")),
        )
        for item in items
    ]
