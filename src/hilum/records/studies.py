"""The studies of which images came, and those whose images a rule has removed."""

import sqlalchemy as sa

from hilum.records import events, tables
from hilum.records.database import Database
from hilum.records.models import Removal, Study
from hilum.records.rows import Rows, insert, select
from hilum.records.states import EventKind, WorkitemState

study = tables.study.c
removal = tables.removal.c

# Those of which a workitem is under way, or waits for a person.
_OPEN = [state for state in WorkitemState if not state.final]
_UNFINISHED = sa.select(tables.workitem.c.study_uid).where(tables.workitem.c.state.in_(_OPEN))


class StudyRecords:
    """All studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.study, Study)
        self._removals = Rows(database, tables.removal, Removal)

    def add(self, new: Study) -> bool:
        """Record a study; False if it was recorded before."""
        return self._rows.add(new)

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

    def count(self, unfinished: bool = False) -> int:
        """How many there are, or how many of them are unfinished."""
        number = sa.func.count().label("number")
        query = sa.select(number).select_from(tables.study)
        if unfinished:
            query = sa.select(number).select_from(_UNFINISHED.distinct().subquery())
        (row,) = select(self._database, query)
        return int(row.number)

    def totals(self) -> tuple[int, int]:
        """How many studies there are, and how many images of them."""
        sums = [sa.func.count().label("number"), sa.func.sum(study.images).label("images")]
        (row,) = select(self._database, sa.select(*sums).select_from(tables.study))
        return int(row.number), int(row.images or 0)

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

    def reviewed(self, study_uid: str, **values: float | str) -> None:
        """Note what is here of it after the rules have looked at it.

        `values` are the fields of a `Study` that have changed.
        """
        self._rows.change(study.study_uid == study_uid, **values)

    def settle(self, folder: str, images: int) -> None:
        """Note how many images in this folder are decided on."""
        self._rows.change(study.folder == folder, settled_images=images)

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

        self._database.transact(note)

    def forget_removal(self, study_uid: str) -> None:
        """Forget that its images were removed, because they have come again."""
        self._removals.remove(removal.study_uid == study_uid)
