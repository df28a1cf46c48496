"""What people have asked the gateway for."""

import time
from collections.abc import Iterable
from dataclasses import asdict

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.events import new_id
from hilum.records.models.requests import Request, Wish
from hilum.records.rows import Rows
from hilum.records.states import RequestAction

NOTHING_CHOSEN = Wish()

request = tables.request.c


def write(
    connection: sa.Connection,
    action: RequestAction,
    workitem_id: str,
    reason: str,
    study_uid: str,
    wish: Wish = NOTHING_CHOSEN,
) -> int:
    """Write down what is asked for, within a transaction; the number of the request."""
    statement = tables.request.insert().values(
        at=time.time(),
        done=False,
        action=action.value,
        workitem_id=workitem_id,
        reason=reason,
        study_uid=study_uid,
        wish=asdict(wish),
    )
    return new_id(connection.execute(statement))


class RequestRecords:
    """The requests of people."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.request, Request)

    def add(
        self,
        action: RequestAction,
        workitem_id: str = "",
        reason: str = "",
        study_uid: str = "",
        wish: Wish = NOTHING_CHOSEN,
    ) -> int:
        """Ask the gateway to do something with a workitem or a study; the number of the request."""

        asked = (action, workitem_id, reason, study_uid, wish)
        return self._database.transact(lambda connection: write(connection, *asked))

    def one(self, number: int) -> Request:
        """The request with this number."""
        return self._rows.one(request.id == number)

    def those(self, numbers: Iterable[int]) -> dict[int, Request]:
        """The requests with these numbers."""
        return {one.id: one for one in self._rows.find_among(request.id, numbers)}

    def waiting(self) -> list[Request]:
        """The requests without an answer that are done at once, the oldest first."""
        at_once = request.action != RequestAction.FETCH
        return self._rows.find(request.answer.is_(None), at_once, order_by=request.id)

    def to_fetch(self) -> list[Request]:
        """The studies that are still to be fetched from archives, in the order they were asked."""
        is_fetch = request.action == RequestAction.FETCH
        return self._rows.find(request.answer.is_(None), is_fetch, order_by=request.id)

    def note_study(self, number: int, study_uid: str) -> None:
        """Note which study is meant, once it is known."""
        self._rows.change(request.id == number, study_uid=study_uid)

    def note_progress(self, number: int, text: str) -> None:
        """Note how far something is that takes its time."""
        self._rows.change(request.id == number, progress=text)

    def is_waiting(self, workitem_id: str) -> bool:
        """Whether a request about this workitem has no answer yet."""
        return self._rows.are_there(request.workitem_id == workitem_id, request.answer.is_(None))

    def answer(self, number: int, done: bool, text: str) -> None:
        """Note what the gateway has done.

        What the person wrote may name the patient: it stands in the note, and is not kept here.
        """
        self._rows.change(request.id == number, answer=text, done=done, reason="")
