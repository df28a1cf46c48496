"""Whose the images are: corrected patient data, decisions, and what images were called before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from hilum.records import listing, tables
from hilum.records.database import Database
from hilum.records.models.patients import Correction, Decision, FormerLabel
from hilum.records.models.workitems import Subject
from hilum.records.rows import Rows, insert, select

correction = tables.correction.c
decision = tables.decision.c
former = tables.former.c
subject = tables.subject.c


class CorrectionRecords:
    """Corrections, decisions and former labels of all studies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sent = Rows(database, tables.correction, Correction)
        self._decisions = Rows(database, tables.decision, Decision)
        self._former = Rows(database, tables.former, FormerLabel)
        self._subjects = Rows(database, tables.subject, Subject)

    # What was sent --------------------------------------------------------------------------------

    def get(self, study_uid: str, identity: str) -> Correction | None:
        """The correction that was sent for a study under one identity."""
        return self._sent.first(correction.study_uid == study_uid, correction.identity == identity)

    def of_study(self, study_uid: str) -> list[Correction]:
        """All corrections that were sent for a study, also those that were decided on."""
        return self._sent.find(correction.study_uid == study_uid)

    def note(self, sent: Correction) -> bool:
        """Record what was sent, once more or for the first time; whether it is new."""
        key = (correction.study_uid == sent.study_uid, correction.identity == sent.identity)
        values = {"senders": sent.senders, "at": sent.at, "is_open": sent.is_open}

        def note(connection: sa.Connection) -> bool:
            is_new = insert(connection, tables.correction, sent)
            if not is_new:
                self._sent.update(connection, *key, **values)
            listing.refresh(connection, sent.study_uid)
            return is_new

        return self._database.transact(note)

    def open_ones(self) -> list[Correction]:
        """The corrections that nobody has decided on yet, the newest first."""
        return self._sent.find(correction.is_open, order_by=correction.at.desc())

    def open_studies(self, study_uids: Iterable[str] | None = None) -> set[str]:
        """UIDs of the studies (of these, if some are given) for which a person has to decide."""
        query = sa.select(correction.study_uid).where(correction.is_open).distinct()
        if study_uids is not None:
            query = query.where(correction.study_uid.in_(study_uids))
        return {row.study_uid for row in select(self._database, query)}

    def is_open(self, study_uid: str) -> bool:
        """Whether a person has to decide on what was sent for the study."""
        return bool(self.open_studies([study_uid]))

    def dismiss(self, study_uid: str) -> None:
        """Note that a person has decided about what was sent, so that nobody is asked again."""

        def dismiss(connection: sa.Connection) -> None:
            self._sent.update(connection, correction.study_uid == study_uid, is_open=False)
            listing.refresh(connection, study_uid)

        self._database.transact(dismiss)

    # What was decided -----------------------------------------------------------------------------

    def decision(self, study_uid: str) -> Decision | None:
        """Whose images of the study count, if a person has said so."""
        return self._decisions.first(decision.study_uid == study_uid)

    def decide(self, made: Decision) -> None:
        """Note whose images count. A new decision replaces the one before."""

        def replace_it(connection: sa.Connection) -> None:
            self._decisions.delete(connection, decision.study_uid == made.study_uid)
            insert(connection, tables.decision, made)

        self._database.transact(replace_it)

    # What images were called ----------------------------------------------------------------------

    def was_called(self, study_uid: str, labels: Iterable[str]) -> bool:
        """Whether one of these labels was taken away from images of the study."""
        of_study = (former.study_uid == study_uid, former.label.in_(labels))
        return self._former.first(*of_study) is not None

    def leave(self, study_uid: str, labels: Iterable[str], at: float) -> None:
        """Note that images of the study had this label before."""

        def note(connection: sa.Connection) -> None:
            for label in labels:
                insert(connection, tables.former, FormerLabel(study_uid, label, at))

        self._database.transact(note)

    def take_up(self, study_uid: str, labels: Iterable[str]) -> None:
        """Forget this, because images of the study have this label again."""
        self._former.remove(former.study_uid == study_uid, former.label.in_(labels))

    # Which images were analysed, and what they were called then -----------------------------------

    def remember(self, subjects: Sequence[Subject]) -> None:
        """Record some images of a new workitem."""

        def note(connection: sa.Connection) -> None:
            for one in subjects:
                insert(connection, tables.subject, one)

        self._database.transact(note)

    def repeat(self, workitem_id: str, again: str) -> None:
        """Record the same images for the workitem that is tried `again`."""
        self.remember([replace(one, workitem_id=again) for one in self.subjects(workitem_id)])

    def subjects(self, workitem_id: str) -> list[Subject]:
        """Some of the images of a workitem."""
        return self._subjects.find(subject.workitem_id == workitem_id)

    def made_of(self, images: Iterable[str]) -> list[str]:
        """Ids of workitems on some of these images, given by the names of their files."""
        found = self._subjects.find_among(subject.image, images)
        return list(dict.fromkeys(one.workitem_id for one in found))

    def called_otherwise(self, labels: Mapping[str, str]) -> list[str]:
        """Ids of workitems on images that are called otherwise now.

        `labels` are what they are called now, by the names of their files.
        """
        found = self._subjects.find_among(subject.image, labels)
        changed = (one.workitem_id for one in found if one.label != labels[one.image])
        return list(dict.fromkeys(changed))
