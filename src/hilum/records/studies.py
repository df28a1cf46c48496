"""The studies of which images came, and those whose images a rule has removed."""

from collections.abc import Sequence

import sqlalchemy as sa

from hilum.records import events, listing, tables
from hilum.records.database import Database
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.studies import Removal, Study, wait_of
from hilum.records.real import is_real
from hilum.records.rows import Rows, insert, select
from hilum.records.states import EventKind, StudyWait, WorkitemState
from hilum.wording import NOT_JUDGED

study = tables.study.c
removal = tables.removal.c

IS_GONE = sa.exists().where(removal.study_uid == study.study_uid)  # its images were removed
# Those that wait for something else than images: see `Study.waits_for`.
IS_UNJUDGED = sa.and_(study.settled_images == 0, study.reason.startswith(NOT_JUDGED), ~IS_GONE)
# Those, and those of which a workitem is under way, or waits for a person.
_OPEN = [state for state in WorkitemState if not state.final]
_UNFINISHED = sa.union(
    sa.select(tables.workitem.c.study_uid).where(tables.workitem.c.state.in_(_OPEN)),
    sa.select(study.study_uid).where(IS_UNJUDGED),
)


class StudyRecords:
    """All studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.study, Study)
        self._removals = Rows(database, tables.removal, Removal)

    def add(self, new: Study) -> bool:
        """Record a study; False if it was recorded before."""

        def record(connection: sa.Connection) -> bool:
            is_new = insert(connection, tables.study, new)
            if is_new:
                listing.add(connection, new.study_uid, new.last_at)
                listing.refresh(connection, new.study_uid)
            return is_new

        return self._database.transact(record)

    def get(self, study_uid: str) -> Study | None:
        """The study with this UID; None if none of its images came."""
        return self._rows.first(study.study_uid == study_uid)

    def one(self, study_uid: str) -> Study:
        """The study with this UID; `LookupError` if none of its images came."""
        return self._rows.one(study.study_uid == study_uid)

    def latest(
        self, most: int, skip: int = 0, unfinished: bool = False, before: float | None = None
    ) -> list[Study]:
        """Those whose last image came last, the latest first.

        The `skip` latest ones are left out. Only the unfinished ones, if `unfinished`, and only
        those whose last image came `before` a time, if one is given.
        """
        query = self._rows.query
        if unfinished:
            query = query.where(study.study_uid.in_(_UNFINISHED))
        if before is not None:
            query = query.where(study.last_at < before)
        order = study.last_at.desc(), study.study_uid.desc()  # as the index has them
        return self._rows.read(query.order_by(*order).limit(most).offset(skip))

    def several(self, study_uids: Sequence[str]) -> list[Study]:
        """Those with these UIDs, in the same order."""
        rows = {row.study_uid: row for row in self._rows.find(study.study_uid.in_(study_uids))}
        return [rows[uid] for uid in study_uids if uid in rows]

    def count(self, unfinished: bool = False) -> int:
        """How many there are, or how many of them are unfinished."""
        number = sa.func.count().label("number")
        query = sa.select(number).select_from(tables.study)
        if unfinished:
            query = sa.select(number).select_from(_UNFINISHED.subquery())
        (row,) = select(self._database, query)
        return int(row.number)

    def totals(self) -> tuple[int, int]:
        """How many studies there are, and how many images of them; without what was made up."""
        sums = [sa.func.count().label("number"), sa.func.sum(study.images).label("images")]
        query = sa.select(*sums).where(is_real(study.study_uid))
        (row,) = select(self._database, query)
        return int(row.number), int(row.images or 0)

    def unjudged(self) -> list[Study]:
        """Those that wait for something else than images, the longest first."""
        return self._rows.find(IS_UNJUDGED, order_by=study.last_at)

    def ending(self, ending: str) -> list[str]:
        """UIDs that end so."""
        uid = study.study_uid
        query = sa.select(uid).where(uid.endswith(ending, autoescape=True))
        return [row.study_uid for row in select(self._database, query)]

    def settled_before(self, time: float) -> list[str]:
        """UIDs of studies with decided images only, none newer than `time`; the oldest first."""
        query = sa.select(study.study_uid).where(study.settled_images > 0, study.last_at < time)
        rows = select(self._database, query.order_by(study.last_at))
        return [row.study_uid for row in rows]

    def settled_images(self) -> dict[str, int]:
        """How many images were decided on, by the folder of the study."""
        query = sa.select(study.folder, study.settled_images).where(study.settled_images > 0)
        return {row.folder: row.settled_images for row in select(self._database, query)}

    def reviewed(
        self,
        study_uid: str,
        images: int,
        last_at: float,
        settled_images: int,
        identifiers: StudyIdentifiers | None = None,
        reason: str = "",
        patience: float = 0.0,
    ) -> None:
        """Note what is here of it after the rules have looked at it.

        `identifiers` are what its images say, where that may be news; the others are the fields of
        a `Study`.
        """
        values = {"images": images, "last_at": last_at, "settled_images": settled_images}
        about = {"reason": reason, "patience": patience}
        here = study.study_uid == study_uid
        waits_for = None if settled_images else wait_of(reason)

        def note(connection: sa.Connection) -> None:
            before = self._rows.select(connection, here)
            self._rows.update(connection, here, **values, **about)
            changed = [one for one in before if one.waits_for is not waits_for]
            is_news = changed or any(one.reason != reason for one in before)
            listing.follow(connection, study_uid, last_at)
            if identifiers:
                listing.note(connection, study_uid, identifiers)
            if identifiers or settled_images or is_news:  # in between, its line stays
                listing.refresh(connection, study_uid)
            if changed and waits_for in (StudyWait.MODULE, StudyWait.MACHINE):
                events.write(connection, study_uid, EventKind.UNJUDGED, reason)

        self._database.transact(note)

    def settle(self, folder: str, images: int) -> None:
        """Note how many images in this folder are decided on."""
        here = tables.study.update().where(study.folder == folder).values(settled_images=images)

        def settle(connection: sa.Connection) -> None:
            for study_uid in connection.execute(here.returning(study.study_uid)).scalars().all():
                listing.refresh(connection, study_uid)

        self._database.transact(settle)

    # Of which images were removed -----------------------------------------------------------------

    def removal(self, study_uid: str) -> Removal | None:
        """When and why the images of a study were removed; None once they have come again."""
        return self._removals.first(removal.study_uid == study_uid)

    def removals(self, study_uids: list[str]) -> list[Removal]:
        """The same for several studies, where there are any."""
        return self._removals.find(removal.study_uid.in_(study_uids))

    def remove_images(self, gone: Removal, text: str) -> None:
        """Note that its images are no longer here; `text` is the line for its trace."""

        def note(connection: sa.Connection) -> None:
            self._rows.update(connection, study.study_uid == gone.study_uid, settled_images=0)
            self._removals.delete(connection, removal.study_uid == gone.study_uid)
            insert(connection, tables.removal, gone)
            events.write(connection, gone.study_uid, EventKind.REMOVED, text)
            listing.forget_patient(connection, gone.study_uid)
            listing.refresh(connection, gone.study_uid)

        self._database.transact(note)

    def forget_removal(self, study_uid: str) -> None:
        """Forget that its images were removed, because they have come again."""

        def forget(connection: sa.Connection) -> None:
            self._removals.delete(connection, removal.study_uid == study_uid)
            listing.refresh(connection, study_uid)

        self._database.transact(forget)
