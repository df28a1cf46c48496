"""Where the results of studies go that a person has uploaded."""

from collections.abc import Callable

import sqlalchemy as sa

from hilum.records import events, tables
from hilum.records.database import Database
from hilum.records.models.studies import UploadedStudy
from hilum.records.rows import Rows, insert
from hilum.records.states import EventKind

upload = tables.upload.c


class UploadRecords:
    """What was chosen for uploaded studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.upload, UploadedStudy)

    def get(self, study_uid: str) -> UploadedStudy | None:
        """What was chosen for a study; None where the rules decide, as for all others."""
        return self._rows.first(upload.study_uid == study_uid)

    def forget_unused(self, is_here: Callable[[str], bool]) -> None:
        """Forget what was chosen for studies of which no image was stored then.

        Else they would be taken for uploaded ones when a sender sends them. `is_here` says whether
        images of a study lie in the inbox.
        """
        known = sa.select(tables.study.c.study_uid)
        for chosen in self._rows.find(upload.study_uid.not_in(known)):
            if not is_here(chosen.study_uid):
                self._rows.remove(upload.study_uid == chosen.study_uid)

    def choose(self, chosen: UploadedStudy, is_here: bool) -> bool:
        """Note where the results of a study go, before its first image is stored.

        A new choice replaces the one before. Nothing is noted, and the answer is False, where the
        study came from a sender before: then its rules decide. `is_here` says that images of it
        lie in the inbox.
        """

        def choose(connection: sa.Connection) -> bool:
            of_study = upload.study_uid == chosen.study_uid
            known = tables.study.c.study_uid == chosen.study_uid
            was_uploaded = bool(self._rows.select(connection, of_study))
            is_known = is_here or connection.execute(sa.select(tables.study).where(known)).first()
            if is_known and not was_uploaded:
                return False
            self._rows.delete(connection, of_study)
            insert(connection, tables.upload, chosen)
            events.write(connection, chosen.study_uid, EventKind.UPLOADED, str(chosen))
            return True

        return self._database.transact(choose)
