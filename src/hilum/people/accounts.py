"""The accounts of people who sign in with a password."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from hilum.errors import HilumError
from hilum.people.database import PeopleDatabase, account, saved_filter, session
from hilum.people.passwords import hashed, require_usable
from hilum.people.roles import UserRole
from hilum.wording import suggestion

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
LAST = (
    "{} is the last administrator, and nobody could manage people any more: give that role to "
    "another person first"
)


@dataclass(frozen=True)
class Person:
    """Who may sign in, in which role; `created` in s since 1970."""

    name: str
    role: UserRole
    disabled: bool
    created: float


class Accounts:
    """All accounts. A name is the same in capital letters.

    One of them stays an administrator who may sign in, unless a provider brings administrators
    (`has_others`).
    """

    def __init__(
        self, database: PeopleDatabase, clock: Callable[[], float], has_others: bool = False
    ) -> None:
        self._database = database
        self._clock = clock
        self._has_others = has_others

    def add(self, name: str, role: UserRole, password: str) -> Person:
        """Add an account; `HilumError` if there is one, or name or password cannot be used."""
        name = usable_name(name)
        require_usable(password, name)
        made = Person(name, role, disabled=False, created=self._clock())

        def work(connection: sa.Connection) -> None:
            if connection.scalar(sa.select(account.c.name).where(account.c.name == name)):
                raise HilumError(f"there is an account {name} already")
            row = {**vars(made), "password": hashed(password)}
            connection.execute(account.insert().values(row))

        self._database.change(work)
        return made

    def all(self) -> list[Person]:
        """Every account, by name."""
        rows = self._database.ask(lambda c: c.execute(account.select()).all())
        return sorted((_account(row) for row in rows), key=lambda one: one.name)

    def get(self, name: str) -> Person | None:
        """The account of `name`, if there is one."""
        found = self._database.ask(lambda c: c.execute(_of(name)).first())
        return _account(found) if found else None

    def password_of(self, name: str) -> str | None:
        """What is kept of the password; None where nobody of that name may sign in."""
        found = self._database.ask(lambda c: c.execute(_of(name)).first())
        return str(found.password) if found and not found.disabled else None

    def remove(self, name: str) -> None:
        """Remove an account with what its person has saved, and sign them out."""
        self._change(name, account.delete().where(account.c.name == normal(name)))
        self._sign_out(name)
        theirs = saved_filter.c.owner == identity_of(name)
        self._database.change(lambda c: c.execute(saved_filter.delete().where(theirs)))

    def disable(self, name: str, disabled: bool = True) -> None:
        """Keep somebody out without removing the account, or let them in again."""
        self._change(name, _update(name, disabled=disabled))
        if disabled:
            self._sign_out(name)

    def set_role(self, name: str, role: UserRole) -> None:
        """Give somebody another role; it counts from their next request on."""
        self._change(name, _update(name, role=role))

    def set_password(self, name: str, password: str) -> None:
        """Give somebody another password, and sign them out everywhere."""
        require_usable(password, normal(name))
        self.renew_hash(name, password)
        self._sign_out(name)

    def renew_hash(self, name: str, password: str) -> None:
        """Keep the same password as today's hashes do."""
        self._change(name, _update(name, password=hashed(password)))

    def has_administrator(self) -> bool:
        """Whether somebody may sign in as administrator."""
        return self._database.ask(_has_administrator)

    def _change(self, name: str, statement: sa.Update | sa.Delete) -> None:
        """Do it as a whole, or not at all: `HilumError` if nobody is called so, or was the last."""

        def work(connection: sa.Connection) -> int:
            had_one = _has_administrator(connection)
            changed = connection.execute(statement).rowcount
            if had_one and not self._has_others and not _has_administrator(connection):
                raise HilumError(LAST.format(normal(name)))
            return changed

        if not self._database.change(work):
            known = [one.name for one in self.all()]
            raise HilumError(f"there is no account {name}{suggestion(name, known)}")

    def _sign_out(self, name: str) -> None:
        theirs = session.c.identity == identity_of(name)
        self._database.change(lambda c: c.execute(session.delete().where(theirs)))


def usable_name(name: str) -> str:
    """How `name` is kept; `HilumError` if it cannot be one of a person or a program."""
    name = normal(name)
    if not _NAME.fullmatch(name):
        raise HilumError("a name has 1 to 64 letters and digits, with . _ @ - between them")
    return name


def normal(name: str) -> str:
    """How `name` is kept."""
    return name.strip().lower()


def identity_of(name: str) -> str:
    """The identity of the person who has the account `name`."""
    return f"account {normal(name)}"


def _has_administrator(connection: sa.Connection) -> bool:
    is_one = (account.c.role == UserRole.ADMINISTRATOR) & ~account.c.disabled
    return connection.execute(account.select().where(is_one)).first() is not None


def _of(name: str) -> sa.Select[tuple[object, ...]]:
    return account.select().where(account.c.name == normal(name))


def _update(name: str, **values: object) -> sa.Update:
    return account.update().where(account.c.name == normal(name)).values(**values)


def _account(row: sa.Row[tuple[object, ...]]) -> Person:
    return Person(row.name, UserRole(row.role), bool(row.disabled), row.created)
