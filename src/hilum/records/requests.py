"""What people have asked the gateway for."""

import time

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.events import new_id
from hilum.records.models import Request
from hilum.records.rows import Rows
from hilum.records.states import RequestAction

request = tables.request.c


class RequestRecords:
    """The requests of people."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.request, Request)

    def add(self, action: RequestAction, workitem_id: str, reason: str) -> int:
        """Ask the gateway to do something with a workitem; the number of the request."""

        def insert(connection: sa.Connection) -> int:
            values = {"action": action.value, "workitem_id": workitem_id, "reason": reason}
            statement = tables.request.insert().values(at=time.time(), done=False, **values)
            return new_id(connection.execute(statement))

        return self._database.transact(insert)

    def one(self, number: int) -> Request:
        """The request with this number."""
        return self._rows.one(request.id == number)

    def waiting(self) -> list[Request]:
        """The requests without an answer, the oldest first."""
        return self._rows.find(request.answer.is_(None), order_by=request.id)

    def is_waiting(self, workitem_id: str) -> bool:
        """Whether a request about this workitem has no answer yet."""
        return self._rows.are_there(request.workitem_id == workitem_id, request.answer.is_(None))

    def answer(self, number: int, done: bool, text: str) -> None:
        """Note what the gateway has done.

        What the person wrote may name the patient: it stands in the note, and is not kept here.
        """
        self._rows.change(request.id == number, answer=text, done=done, reason="")
