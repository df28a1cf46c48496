"""Who is signed in, in which browser, until when.

The browser holds a random key in a cookie, new at each sign-in, so that nobody can fix it before.
What is kept of it here opens nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from hilum.people.accounts import identity_of, normal
from hilum.people.database import PeopleDatabase, account, session
from hilum.people.keys import kept, new_key
from hilum.people.roles import UserRole
from hilum.people.visitor import Visitor

NOTE_SECONDS = 60.0  # at most so often is written down that somebody is still there


class SignInWay(StrEnum):
    """How somebody has signed in."""

    PASSWORD = "password"  # with an account of ours
    LINK = "link"  # that a command printed to whoever sits at the machine
    OPENID = "openid"  # at the hospital's provider


@dataclass(frozen=True)
class Limits:
    """After how many s a session ends: without use, and in any case."""

    idle: float
    whole: float


class Sessions:
    """All sessions."""

    def __init__(
        self, database: PeopleDatabase, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def begin(self, way: SignInWay, name: str, role: UserRole, identity: str = "") -> str:
        """Sign somebody in; the key for their browser.

        `identity` is that of the account `name` if it is empty.
        """
        key, now = new_key(), self._clock()
        row = {
            "key_hash": kept(key, "session"),
            "way": way,
            "name": normal(name) if way is SignInWay.PASSWORD else name,
            "identity": identity or identity_of(name),
            "role": role,
            "began": now,
            "used": now,
        }

        def work(connection: sa.Connection) -> None:
            connection.execute(session.delete().where(~self._lasts(now)))
            connection.execute(session.insert().values(row))

        self._database.change(work)
        return key

    def visitor(self, key: str, is_use: bool = True) -> Visitor | None:
        """Who has this key; None if nobody, or no longer.

        `is_use` says that a person asks, not a page that renews itself: only that keeps a session.
        """
        key_hash, now = kept(key, "session"), self._clock()
        mine = session.select().where((session.c.key_hash == key_hash) & self._lasts(now))
        found = self._database.ask(lambda c: c.execute(mine).first())
        role = self._role(found) if found else None
        if found is None or role is None:
            return None
        if is_use and now - found.used > NOTE_SECONDS:
            note = session.update().where(session.c.key_hash == key_hash).values(used=now)
            self._database.change(lambda c: c.execute(note))
        return Visitor(found.name, role, form_token(key), found.identity)

    def end(self, key: str) -> None:
        """Sign out."""
        mine = session.c.key_hash == kept(key, "session")
        self._database.change(lambda c: c.execute(session.delete().where(mine)))

    def _lasts(self, now: float) -> sa.ColumnElement[bool]:
        return (session.c.used > now - self._limits.idle) & (
            session.c.began > now - self._limits.whole
        )

    def _role(self, found: sa.Row[tuple[object, ...]]) -> UserRole | None:
        """That of the account as it is now, where there is one."""
        if found.way != SignInWay.PASSWORD:
            return UserRole(found.role)
        open_ones = (account.c.name == found.name) & ~account.c.disabled
        role = self._database.ask(lambda c: c.scalar(sa.select(account.c.role).where(open_ones)))
        return UserRole(role) if role else None


def form_token(key: str) -> str:
    """What every form of a session has to bring; from it nobody gets to the key."""
    return kept(key, "form")
