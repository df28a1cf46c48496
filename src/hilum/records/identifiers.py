"""What studies are called: their addresses, and what their images say of patient and order."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.records import listing, tables
from hilum.records.database import Database
from hilum.records.listed import StudyIdentifiers
from hilum.records.rows import Condition, select

address = tables.address.c
line = tables.listing.c


class IdentifierRecords:
    """The addresses and identifiers of all studies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def study_at(self, of: str) -> str | None:
        """UID of the study with this address, if there is one."""
        query = sa.select(address.study_uid).where(address.address == of)
        return next((str(row.study_uid) for row in select(self._database, query)), None)

    def addresses(self, study_uids: Iterable[str]) -> dict[str, str]:
        """The addresses of several studies, by UID."""
        query = sa.select(address.study_uid, address.address)
        rows = select(self._database, query.where(address.study_uid.in_(study_uids)))
        return {row.study_uid: row.address for row in rows}

    def patient_of(self, study_uid: str) -> str:
        """The patient ID that its images state; "" where none does, or they were removed."""
        query = sa.select(line.patient_id).where(line.study_uid == study_uid)
        return next((str(row.patient_id) for row in select(self._database, query)), "")

    def studies_of(self, patient_id: str) -> list[str]:
        """UIDs of the studies whose images state this patient ID."""
        query = sa.select(line.study_uid).where(line.patient_id == patient_id)
        return [
            str(row.study_uid) for row in select(self._database, query.order_by(line.study_uid))
        ]

    def decided_after(self, at: float) -> list[tuple[str, str, float]]:
        """The studies with a workitem made after `at`: UID, patient ID, and when the last was."""
        workitem = tables.workitem.c
        last = sa.func.max(workitem.created).label("at")
        query = (
            sa.select(line.study_uid, line.patient_id, last)
            .join(tables.workitem, workitem.study_uid == line.study_uid)
            .where(workitem.created > at, line.patient_id != "")
            .group_by(line.study_uid, line.patient_id)
            .order_by(last)
        )
        rows = select(self._database, query)
        return [(str(row.study_uid), str(row.patient_id), float(row.at)) for row in rows]

    # What an older Hilum did not note -------------------------------------------------------------

    def not_listed(self) -> list[str]:
        """UIDs of the studies whose line does not say yet how they stand, the newest first."""
        return self._newest(line.urgency == 0)

    def list_older(self, study_uid: str) -> None:
        """Have the line of a study say how it stands."""
        self._database.transact(lambda connection: listing.refresh(connection, study_uid))

    def not_noted(self) -> list[str]:
        """UIDs of the studies whose line does not say yet what their images do, newest first."""
        return self._newest(line.noted.is_(False))

    def siblings_of(self, study_uid: str) -> set[str]:
        """Files of one image of each series and patient, as far as workitems name them."""
        query = sa.select(tables.workitem.c.siblings)
        rows = select(self._database, query.where(tables.workitem.c.study_uid == study_uid))
        return {name for row in rows for name in row.siblings}

    def note_older(self, study_uid: str, said: StudyIdentifiers) -> bool:
        """Note what the images of a study say; False if that was noted meanwhile."""

        def note(connection: sa.Connection) -> bool:
            is_new = (line.study_uid == study_uid, line.noted.is_(False))
            query = sa.select(line.study_uid).where(*is_new).with_for_update()
            if connection.execute(query).first() is None:
                return False
            listing.note(connection, study_uid, said)
            return True

        return self._database.transact(note)

    def _newest(self, which: Condition) -> list[str]:
        query = sa.select(line.study_uid).where(which).order_by(line.last_at.desc())
        return [row.study_uid for row in select(self._database, query)]
