"""The workitems on record, and what changes together with their state."""

from collections import Counter
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from hilum.records import durations, events, listing, owing, tables, unreadable
from hilum.records.database import Database
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import PutBack, WaitingAnalyses, Workitem, WorkitemOutline
from hilum.records.real import is_made_up, is_real
from hilum.records.rows import Condition, Rows, insert, select
from hilum.records.states import UNFINISHED, EventKind, WorkitemKind, WorkitemState
from hilum.summary import Summary

workitem = tables.workitem.c
_given = tables.workitem.alias().c
_AWAITS_FINDINGS = sa.exists().where(
    _given.study_uid == workitem.study_uid,
    _given.state.in_(UNFINISHED),
    sa.cast(workitem.used, sa.Text).contains(_given.id),
)


class WorkitemRecords:
    """The workitems of all studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.workitem, Workitem)
        self._outlines = Rows(database, tables.workitem, WorkitemOutline)
        self._put_back = Rows(database, tables.workitem, PutBack)

    # Which there are ------------------------------------------------------------------------------

    def get(self, workitem_id: str) -> Workitem | None:
        """The workitem with this id, if there is one."""
        return self._rows.first(workitem.id == workitem_id)

    def one(self, workitem_id: str) -> Workitem:
        """The workitem with this id; `LookupError` if there is none."""
        return self._rows.one(workitem.id == workitem_id)

    def of_study(self, study_uid: str) -> list[Workitem]:
        """The workitems of one study, the oldest first."""
        return self._rows.find(workitem.study_uid == study_uid, order_by=workitem.created)

    def outlines_of(self, study_uids: Iterable[str]) -> list[WorkitemOutline]:
        """What lists show of those of several studies, the oldest first."""
        of_them = workitem.study_uid.in_(study_uids)
        return self._outlines.find_readable(
            of_them, order_by=workitem.created, blank=unreadable.WORKITEM
        )

    def of_module(self, study_uid: str, module: str) -> list[Workitem]:
        """The workitems of one study and module, the oldest first."""
        return [item for item in self.of_study(study_uid) if item.module == module]

    def in_state(self, *states: WorkitemState) -> list[Workitem]:
        """The workitems in one of these states, the oldest first."""
        return self._rows.find_readable(workitem.state.in_(states), order_by=workitem.created)

    def held(self, study_uid: str) -> list[Workitem]:
        """The workitems of a study that wait until a person decides, or images come."""
        return self._rows.find(
            workitem.study_uid == study_uid, workitem.state == WorkitemState.HELD
        )

    def is_held(self, folder: str) -> bool:
        """Whether any is held of the study whose images lie in this folder."""
        study = tables.study.c
        query = sa.select(workitem.id).join(tables.study, study.study_uid == workitem.study_uid)
        held = query.where(study.folder == folder, workitem.state == WorkitemState.HELD)
        return bool(select(self._database, held.limit(1)))

    def held_because(self, beginnings: Iterable[str]) -> list[str]:
        """UIDs of the studies that are held for a reason with one of these beginnings."""
        return self._held_where(_begins_with(beginnings))

    def held_otherwise(self, beginnings: Iterable[str]) -> list[str]:
        """UIDs of the studies that are held for a reason with none of these beginnings."""
        return self._held_where(~_begins_with(beginnings))

    def failed_untold(self) -> list[str]:
        """UIDs of the studies of which an analysis failed that no destination was told of.

        Without what another run has replaced.
        """
        is_owed = sa.exists().where(tables.delivery.c.workitem_id == workitem.id)
        query = sa.select(workitem.study_uid).where(
            workitem.state == WorkitemState.FAILED, workitem.superseded_by.is_(None), ~is_owed
        )
        return [row.study_uid for row in select(self._database, query.distinct())]

    def _held_where(self, reasons: Condition) -> list[str]:
        query = sa.select(workitem.study_uid).where(workitem.state == WorkitemState.HELD, reasons)
        return [row.study_uid for row in select(self._database, query.distinct())]

    def runs_of(self, study_uid: str, rule_key: str) -> list[Workitem]:
        """The workitems of a study and rule whose module ran or will run, the oldest first."""
        of_rule = (workitem.study_uid == study_uid, workitem.rule_key == rule_key)
        is_run = workitem.kind == WorkitemKind.RUN
        return self._rows.find(*of_rule, is_run, order_by=workitem.created)

    def last_run(self, study_uid: str, rule_key: str) -> Workitem | None:
        """The newest one of these."""
        return next(reversed(self.runs_of(study_uid, rule_key)), None)

    def rules_of(self, study_uids: Iterable[str]) -> dict[str, frozenset[str]]:
        """The keys of the rules by which several studies have had runs; none for one without."""
        query = sa.select(workitem.study_uid, workitem.rule_key).where(
            workitem.study_uid.in_(study_uids), workitem.kind == WorkitemKind.RUN
        )
        found: dict[str, set[str]] = {}
        for row in select(self._database, query):
            found.setdefault(row.study_uid, set()).add(row.rule_key)
        return {study_uid: frozenset(keys) for study_uid, keys in found.items()}

    def newest_of(
        self, module: str, since: float, states: Iterable[WorkitemState], most: int
    ) -> list[WorkitemOutline]:
        """The newest workitems of a module in one of `states`, made after `since`.

        Without those of studies that were made up: most modules refuse these.
        """
        return self._outlines.find(
            workitem.module == module,
            is_real(workitem.study_uid),
            workitem.created > since,
            workitem.state.in_(states),
            order_by=workitem.created.desc(),
            limit=most,
        )

    def waiting(self, without: Collection[str] = ()) -> list[WaitingAnalyses]:
        """The analyses that have not begun, by rule and hours.

        Those of the modules `without` do not count, nor those that wait for a server.
        """
        counts = (workitem.state == WorkitemState.SCHEDULED, workitem.failure.is_(None))
        is_free = sa.or_(workitem.at_once, workitem.asked)
        hours = sa.func.coalesce(workitem.rule["hours"].as_string(), "")
        each = (
            sa.select(
                sa.case((is_free, ""), else_=workitem.rule_key).label("rule_key"),
                sa.case((is_free, ""), else_=hours).label("hours"),
                _AWAITS_FINDINGS.label("for_findings"),
                workitem.created,
            )
            .where(*counts, workitem.module.not_in(without))
            .subquery()
        )
        found = (sa.func.min(each.c.created).label("oldest"), sa.func.count().label("number"))
        by = (each.c.rule_key, each.c.hours, each.c.for_findings)
        rows = select(self._database, sa.select(*by, *found).group_by(*by))
        about = ((r.rule_key, r.hours, r.oldest, r.number, bool(r.for_findings)) for r in rows)
        return [WaitingAnalyses(*one) for one in about]

    def counts(self) -> dict[tuple[str, WorkitemState], int]:
        """The number of workitems of each module in each state; without what was made up."""
        made_up = self._counts(is_made_up(workitem.study_uid))
        return Counter(self._counts(sa.true())) - Counter(made_up)  # an index counts both

    def unfinished(self) -> dict[tuple[str, WorkitemState], int]:
        """The same of all that wait for a worker, or have one, whatever they are of."""
        return self._counts(workitem.state.in_(UNFINISHED))

    def _counts(self, which: Condition) -> dict[tuple[str, WorkitemState], int]:
        by = (workitem.module, workitem.state)
        query = sa.select(*by, sa.func.count().label("number")).where(which).group_by(*by)
        rows = select(self._database, query)
        return {(row.module, WorkitemState(row.state)): row.number for row in rows}

    def without_subjects(self, study_uid: str = "") -> list[str]:
        """Ids of the runs, of one study or of all, whose images nothing was noted of, newest first.

        An older Hilum has made them.
        """
        noted = sa.select(tables.subject.c.workitem_id)
        query = sa.select(workitem.id).where(workitem.kind == WorkitemKind.RUN)
        query = query.where(workitem.id.not_in(noted)).order_by(workitem.created.desc())
        if study_uid:
            query = query.where(workitem.study_uid == study_uid)
        return [row.id for row in select(self._database, query)]

    def ids_ending(self, ending: str) -> list[str]:
        """The ids that end so, two at most."""
        query = sa.select(workitem.id).where(workitem.id.endswith(ending, autoescape=True))
        return [row.id for row in select(self._database, query.limit(2))]

    def modules_of(self, study_uid: str) -> dict[str, str]:
        """The module of every workitem of a study, without its verdicts and findings."""
        query = sa.select(workitem.id, workitem.module).where(workitem.study_uid == study_uid)
        return {row.id: row.module for row in select(self._database, query)}

    def made_by(self) -> list[tuple[str, str, str, str]]:
        """Name, version, title and weights of every module that ever ran here."""
        facts = (workitem.module, workitem.version, workitem.title, workitem.weights_sha256)
        return [tuple(row) for row in select(self._database, sa.select(*facts).distinct())]

    # What becomes of them -------------------------------------------------------------------------

    def schedule(self, item: Workitem, lines: Iterable[events.Line], not_run: str = "") -> bool:
        """Record a new run, which replaces its predecessor; False if it is on record already.

        `not_run` is the id of what said why there was none, and is forgotten. All at once, so there
        are never two current ones.
        """

        def record(connection: sa.Connection) -> bool:
            if not insert(connection, tables.workitem, item):
                return False
            self._rows.delete(connection, workitem.id == not_run)
            if item.predecessor:
                before = workitem.id == item.predecessor
                self._rows.update(connection, before, superseded_by=item.id)
            events.write_lines(connection, item.study_uid, lines, item.id)
            listing.refresh(connection, item.study_uid)
            return True

        return self._database.transact(record)

    def note_not_run(self, item: Workitem, lines: Iterable[events.Line]) -> None:
        """Record why a module was not run, in place of what was said before."""

        def replace(connection: sa.Connection) -> None:
            self._rows.delete(connection, workitem.id == item.id)
            insert(connection, tables.workitem, item)
            events.write_lines(connection, item.study_uid, lines, item.id)
            listing.refresh(connection, item.study_uid)

        self._database.transact(replace)

    def remove(self, workitem_id: str) -> None:
        """Forget a workitem that says why a module was not run."""
        forget = tables.workitem.delete().where(workitem.id == workitem_id)

        def remove(connection: sa.Connection) -> None:
            of = connection.execute(forget.returning(workitem.study_uid)).scalar()
            if of is not None:
                listing.refresh(connection, of)

        self._database.transact(remove)

    def count_launch(self, workitem_id: str) -> int:
        """Count that the engine is given a workitem once more; how often that makes."""
        return self._count(workitem_id, workitem.launch)

    def count_run(self, workitem_id: str) -> int:
        """Count that an analysis begins once more; how often that makes."""
        return self._count(workitem_id, workitem.runs)

    def forget_failure(self, workitem_id: str) -> None:
        """Forget why its module failed, because it runs anew."""
        self._rows.change(workitem.id == workitem_id, failure=None)

    def note_wait(self, item: Workitem, text: str) -> None:
        """Have lists say what it waits for; the trace has said it once."""
        waits = (workitem.id == item.id, workitem.state == WorkitemState.SCHEDULED)

        def note(connection: sa.Connection) -> None:
            self._rows.update(connection, *waits, reason=text)
            listing.refresh(connection, item.study_uid)

        self._database.transact(note)

    def begin_at_once(self, item: Workitem, text: str) -> bool:
        """Have it begin first, at any hour; False if it has, or is to already. `text` says why."""
        is_scheduled = workitem.state == WorkitemState.SCHEDULED
        waits = (workitem.id == item.id, is_scheduled, ~workitem.at_once)

        def begin(connection: sa.Connection) -> bool:
            if not self._rows.update(connection, *waits, at_once=True, reason=text):
                return False
            events.write(connection, item.study_uid, EventKind.SCHEDULED, text, item.id)
            listing.refresh(connection, item.study_uid)
            return True

        return self._database.transact(begin)

    def put_back_by_module(self) -> dict[str, list[PutBack]]:
        """Those that wait because a server is away, the oldest first."""
        waiting = workitem.state == WorkitemState.SCHEDULED
        found: dict[str, list[PutBack]] = {}
        for item in self._put_back.find(
            waiting, workitem.failure.is_not(None), order_by=workitem.created
        ):
            found.setdefault(item.module, []).append(item)
        return found

    def note_findings(self, item: Workitem, findings: tuple[Summary, ...], text: str) -> None:
        """Note what its module has found."""

        def note(connection: sa.Connection) -> None:
            self._rows.update(connection, workitem.id == item.id, findings=findings)
            durations.count_ended(connection, item)
            events.write(connection, item.study_uid, EventKind.ANALYSED, text, item.id)
            listing.refresh(connection, item.study_uid)

        self._database.transact(note)

    def note_failure(self, item: Workitem, findings: tuple[Summary, ...], failure: str) -> None:
        """Note that its module has failed; `findings` stand in the place of its own.

        Results of a writing that did not end are forgotten.
        """

        def note(connection: sa.Connection) -> None:
            of_item = tables.result.c.workitem_id == item.id
            connection.execute(tables.result.delete().where(of_item))
            values = {"failure": failure, "findings": findings}
            self._rows.update(connection, workitem.id == item.id, **values)
            events.write(connection, item.study_uid, EventKind.FAILED, failure, item.id)
            listing.refresh(connection, item.study_uid)

        self._database.transact(note)

    def note_assessment(
        self, note: Workitem, owed: Iterable[Delivery], replaced: Iterable[str], text: str
    ) -> bool:
        """Record a note that tells what a reader said, with its deliveries; False if it is there.

        It takes the place of the notes `replaced`, which tell what the same reader said before.
        """

        def record(connection: sa.Connection) -> bool:
            if not insert(connection, tables.workitem, note):
                return False
            owing.owe(connection, owed)
            before = workitem.id.in_(list(replaced))
            self._rows.update(connection, before, superseded_by=note.id)
            events.write(connection, note.study_uid, EventKind.WRITTEN, text, note.id)
            listing.refresh(connection, note.study_uid)
            return True

        return self._database.transact(record)

    def _count(self, workitem_id: str, column: sa.Column[int]) -> int:
        statement = (
            tables.workitem.update()
            .where(workitem.id == workitem_id)
            .values({column: column + 1})
            .returning(column)
        )
        return self._database.transact(lambda c: int(c.execute(statement).scalar_one()))


def _begins_with(beginnings: Iterable[str]) -> Condition:
    return sa.or_(*(workitem.reason.startswith(text) for text in beginnings))
