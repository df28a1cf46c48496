"""What readers said of results. Nothing of it is ever changed or deleted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from hilum.records import events, listing, requests, tables
from hilum.records.assessed import Assessment, last_of_each
from hilum.records.database import Database
from hilum.records.real import is_real
from hilum.records.rows import Condition, Rows, insert, select
from hilum.records.states import (
    ASSESSABLE,
    EventKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)

assessment = tables.assessment.c
workitem = tables.workitem.c

# Whatever became of it later: what was taken back because a reader rejected it counts, too.
_HAD_RESULT = (*ASSESSABLE, WorkitemState.WITHDRAWN)


@dataclass(frozen=True, order=True)
class ResultVersion:
    """Which module, version and weights a result is of."""

    module: str
    version: str
    weights_sha256: str


@dataclass(frozen=True)
class AssessedResult:
    """A result of which readers have said something, and when its run was made (s since 1970)."""

    workitem_id: str
    study_uid: str
    version: ResultVersion
    created: float
    said: tuple[Assessment, ...]


class AssessmentRecords:
    """The assessments of all results."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.assessment, Assessment)

    def add(
        self, said: Assessment, pass_on: bool = False, withdraw: bool = False
    ) -> Assessment | None:
        """Put on record what a reader says; None if it has no result that may be assessed now.

        It gets the next number. What the same reader said last of the same result is not added a
        second time, nor is an object that has come before. To `pass_on` what was said to the
        destinations, and to `withdraw` the result, the gateway is asked in the same transaction, so
        neither is on record without the other.
        """
        # Changes nothing, and takes the lock: nobody takes the result back before this has ended.
        may_be = (workitem.state.in_(ASSESSABLE), workitem.kind == WorkitemKind.RUN)
        locked = (
            tables.workitem.update()
            .where(workitem.id == said.workitem_id, *may_be)
            .values(state=workitem.state)
            .returning(workitem.study_uid, workitem.module, workitem.version)
        )

        def add(connection: sa.Connection) -> Assessment | None:
            item = connection.execute(locked).first()
            if item is None:
                return None
            of_result = assessment.workitem_id == said.workitem_id
            before = self._rows.select(connection, of_result, order_by=assessment.number)
            if known := _said_before(said, before):
                return known
            made = replace(said, number=len(before) + 1)
            insert(connection, tables.assessment, made)
            how = f", in an object from {made.sender}" if made.sender else ""
            text = f"{item.module} {item.version} is {made.decision} by a reader{how}"
            events.write(connection, item.study_uid, EventKind.ASSESSED, text, made.workitem_id)
            listing.refresh(connection, item.study_uid)
            about = (made.workitem_id, str(made.number), item.study_uid)
            if pass_on:
                requests.write(connection, RequestAction.PASS_ON, *about)
            if withdraw:
                about = (made.workitem_id, made.reason, item.study_uid)
                requests.write(connection, RequestAction.WITHDRAW_REJECTED, *about)
            return made

        return self._database.transact(add)

    def of_object(self, sop_instance_uid: str) -> list[Assessment]:
        """What the DICOM object with this UID has said, of one result or of several."""
        return self._rows.find(
            assessment.object_uid == sop_instance_uid, order_by=assessment.workitem_id
        )

    def of_workitem(self, workitem_id: str) -> list[Assessment]:
        """All that was said of the result of one workitem, in order."""
        return self._rows.find(assessment.workitem_id == workitem_id, order_by=assessment.number)

    def of_workitems(self, workitem_ids: Iterable[str]) -> dict[str, list[Assessment]]:
        """All that was said of the results of several workitems, by workitem, in order."""
        return self._by_workitem(assessment.workitem_id.in_(workitem_ids))

    # For statistics, which leave out what was made up ---------------------------------------------

    def results_since(self, since: float) -> dict[ResultVersion, int]:
        """How many results there are of runs made after `since`, by version."""
        query = (
            sa.select(*_VERSION, sa.func.count().label("number"))
            .where(workitem.kind == WorkitemKind.RUN, workitem.created >= since)
            .where(workitem.state.in_(_HAD_RESULT), workitem.module.in_(_EVERY_MODULE))
            .where(is_real(workitem.study_uid))
            .group_by(*_VERSION)
        )
        rows = select(self._database, query)
        return {
            ResultVersion(row.module, row.version, row.weights_sha256): int(row.number)
            for row in rows
        }

    def assessed_since(self, since: float) -> list[AssessedResult]:
        """Those of them of which readers have said something, the oldest first."""
        of_runs = sa.exists().where(
            workitem.id == assessment.workitem_id, workitem.created >= since
        )
        said = self._by_workitem(of_runs)
        columns = (*_VERSION, workitem.id, workitem.study_uid, workitem.created)
        query = sa.select(*columns).where(
            workitem.created >= since,
            is_real(workitem.study_uid),
            workitem.id.in_(sa.select(assessment.workitem_id)),
        )
        rows = select(self._database, query.order_by(workitem.created))
        return [
            AssessedResult(
                row.id,
                row.study_uid,
                ResultVersion(row.module, row.version, row.weights_sha256),
                row.created,
                tuple(said.get(row.id, ())),
            )
            for row in rows
        ]

    def _by_workitem(self, which: Condition) -> dict[str, list[Assessment]]:
        found: dict[str, list[Assessment]] = {}
        for row in self._rows.find(which, order_by=assessment.number):
            found.setdefault(row.workitem_id, []).append(row)
        return found


def _said_before(said: Assessment, before: Sequence[Assessment]) -> Assessment | None:
    """That among `before` which `said` only repeats: the same object, or the same last word."""
    if said.object_uid:
        return next((one for one in before if one.object_uid == said.object_uid), None)
    theirs = next((one for one in last_of_each(before) if one.identity == said.identity), None)
    same = theirs and (theirs.decision, theirs.reason) == (said.decision, said.reason)
    return theirs if same else None


# Named so that the index of states, modules and times is used: without it, every row is read.
_EVERY_MODULE = sa.select(tables.workitem.alias().c.module).distinct()
_VERSION = (workitem.module, workitem.version, workitem.weights_sha256)
