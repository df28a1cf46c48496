"""What the analyses of one module came to, for the page of the module."""

from dataclasses import dataclass

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.real import is_real
from hilum.records.rows import read
from hilum.records.states import EventKind, WorkitemKind, WorkitemState
from hilum.summary import Summary, refusal_in


@dataclass(frozen=True)
class AnalysisOutline:
    """One run of a module: what it found, or why not, and how long it took (s)."""

    workitem_id: str
    study_uid: str
    version: str
    weights_sha256: str
    state: WorkitemState
    created: float
    failure: str | None
    findings: tuple[Summary, ...] | None
    began_at: float | None
    ended_at: float | None

    @property
    def seconds(self) -> float | None:
        """None where it has not ended, or failed."""
        if self.began_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.began_at)

    @property
    def refusal(self) -> str | None:
        """The sentence by which the module refused the images; None if it did not."""
        return None if self.failure is not None else refusal_in(self.findings or ())


class AnalysisRecords:
    """The runs of modules; it changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_module(self, module: str, since: float, most: int) -> list[AnalysisOutline]:
        """Its newest runs, at most so many, made after `since` (s since 1970).

        Without those of studies that were made up.
        """
        workitem = tables.workitem.c
        names = ("study_uid", "version", "weights_sha256", "state", "created", "failure")
        query = (
            sa.select(
                workitem.id.label("workitem_id"),
                *(workitem[name] for name in names),
                workitem.findings,
                _last(EventKind.RUNNING).label("began_at"),
                _last(EventKind.ANALYSED).label("ended_at"),
            )
            .where(workitem.module == module, workitem.created > since)
            .where(workitem.kind == WorkitemKind.RUN, is_real(workitem.study_uid))
            .order_by(workitem.created.desc())
            .limit(most)
        )
        return read(self._database, AnalysisOutline, query)


def _last(kind: EventKind) -> sa.ScalarSelect[float]:
    """When something of this kind last happened to a workitem."""
    event, workitem = tables.event.alias().c, tables.workitem.c
    query = sa.select(sa.func.max(event.at)).where(
        event.study_uid == workitem.study_uid, event.workitem_id == workitem.id, event.kind == kind
    )
    return query.correlate(tables.workitem).scalar_subquery()
