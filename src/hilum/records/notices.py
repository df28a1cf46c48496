"""What notifiers still have to tell of alarms, and how each of them stands."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.alarms import Notice, NotifierStanding
from hilum.records.rows import Rows, insert

notice = tables.notice.c
notifier = tables.notifier.c


class NoticeRecords:
    """The notices of all notifiers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database, tables.notice, Notice)
        self._notifiers = Rows(database, tables.notifier, NotifierStanding)

    def standings(self) -> dict[str, NotifierStanding]:
        """How each notifier stands, by name."""
        return {standing.name: standing for standing in self._notifiers.find()}

    def standing(self, name: str) -> NotifierStanding:
        """How one stands; `LookupError` if it was never used."""
        return self._notifiers.one(notifier.name == name)

    def begin(self, name: str, told: Iterable[Notice]) -> None:
        """Record a notifier unless it is on record, with what it has to tell first."""

        def begin(connection: sa.Connection) -> None:
            if insert(connection, tables.notifier, NotifierStanding(name)):
                owe(connection, told)

        self._database.transact(begin)

    def forget_others(self, names: Collection[str]) -> None:
        """Forget notifiers that are not among `names`, and what they had to tell."""

        def forget(connection: sa.Connection) -> None:
            self._rows.delete(connection, notice.notifier.not_in(names))
            self._notifiers.delete(connection, notifier.name.not_in(names))

        self._database.transact(forget)

    def owed(self, name: str) -> list[Notice]:
        """What a notifier has to tell, in order."""
        return self._rows.find(notice.notifier == name, order_by=notice.at)

    def next_message(self, name: str, called: str) -> list[Notice]:
        """The notices of the message that a notifier has to send next, in order.

        A message that was begun keeps its notices; a new one, `called` so, takes all there are.
        """
        of_it = notice.notifier == name

        def next_message(connection: sa.Connection) -> list[Notice]:
            begun = self._rows.select(connection, of_it, notice.message != "", order_by=notice.at)
            if begun:
                return begun
            self._rows.update(connection, of_it, message=called)
            return self._rows.select(connection, of_it, order_by=notice.at)

        return self._database.transact(next_message)

    def note_sent(self, name: str, message: str, at: float) -> None:
        """Note that a notifier has told a message."""

        def note(connection: sa.Connection) -> None:
            self._rows.delete(connection, notice.notifier == name, notice.message == message)
            standing = NotifierStanding(name, sent_at=at)
            self._notifiers.update(connection, notifier.name == name, **vars(standing))

        self._database.transact(note)

    def note_standing(self, standing: NotifierStanding) -> None:
        """Note that an attempt has failed, and when the next one is made."""
        self._notifiers.change(notifier.name == standing.name, **vars(standing))


def owe(connection: sa.Connection, told: Iterable[Notice]) -> None:
    """Record notices in the transaction of `connection`.

    The last one on an alarm takes the place of those that no message holds yet.
    """
    for one in told:
        connection.execute(
            tables.notice.delete().where(
                notice.notifier == one.notifier, notice.alarm == one.alarm, notice.message == ""
            )
        )
        insert(connection, tables.notice, one)
