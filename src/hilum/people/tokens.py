"""What programs show instead of a password. A token is printed once, and only its hash is kept."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from hilum.errors import HilumError
from hilum.people.accounts import normal, usable_name
from hilum.people.database import PeopleDatabase, token
from hilum.people.keys import kept, new_key
from hilum.people.roles import UserRole
from hilum.people.visitor import Visitor
from hilum.wording import suggestion

PREFIX = "hilum_"  # so that scanners for secrets recognise it
DAY = 86400.0
NOTE_SECONDS = 60.0  # at most so often is written down that it was used


@dataclass(frozen=True)
class Token:
    """A token without its secret; times in s since 1970."""

    name: str
    role: UserRole
    created: float
    ends: float
    used: float | None


class Tokens:
    """All tokens."""

    def __init__(self, database: PeopleDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, role: UserRole, days: float) -> str:
        """A new token for the program `name`, which ends after `days`; it is not kept here."""
        name, text, now = usable_name(name), PREFIX + new_key(), self._clock()
        made = Token(name, role, created=now, ends=now + days * DAY, used=None)
        row = {**vars(made), "secret_hash": kept(text, "token")}

        def work(connection: sa.Connection) -> None:
            if connection.scalar(sa.select(token.c.name).where(token.c.name == name)):
                raise HilumError(f"there is a token {name} already; remove it first")
            connection.execute(token.insert().values(row))

        self._database.change(work)
        return text

    def all(self) -> list[Token]:
        """Every token, by name."""
        rows = self._database.ask(lambda c: c.execute(token.select()).all())
        made = [Token(r.name, UserRole(r.role), r.created, r.ends, r.used) for r in rows]
        return sorted(made, key=lambda one: one.name)

    def visitor(self, text: str) -> Visitor | None:
        """The program that has this token; None if there is none, or no longer."""
        now = self._clock()
        mine = token.c.secret_hash == kept(text, "token")
        found = self._database.ask(
            lambda c: c.execute(token.select().where(mine & (token.c.ends > now))).first()
        )
        if found is None:
            return None
        if found.used is None or now - found.used > NOTE_SECONDS:
            self._database.change(lambda c: c.execute(token.update().where(mine).values(used=now)))
        return Visitor(found.name, UserRole(found.role), identity=f"token {found.name}")

    def remove(self, name: str) -> None:
        """Remove a token; it opens nothing from now on."""
        mine = token.delete().where(token.c.name == normal(name))
        if not self._database.change(lambda c: c.execute(mine).rowcount):
            known = [one.name for one in self.all()]
            raise HilumError(f"there is no token {name}{suggestion(name, known)}")
