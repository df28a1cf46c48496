"""Filters of the list of studies that people have saved, each under a name.

They say nothing of a patient: what names one is searched for, and never saved.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from hilum.errors import HilumError
from hilum.people.database import PeopleDatabase, saved_filter

EVERYBODY = ""  # who owns what all may use
MOST = 50  # of one person, and of all together
LONGEST_NAME = 64


@dataclass(frozen=True)
class SavedFilter:
    """One filter: `query` is that of the address of the list, `owner` an identity or `EVERYBODY`.

    `number` is random, and stands for it in addresses, since a name may say anything.
    """

    number: str
    owner: str
    name: str
    query: str

    @property
    def is_shared(self) -> bool:
        """Whether all may use it."""
        return self.owner == EVERYBODY


class SavedFilters:
    """All saved filters; `clock` gives s since 1970."""

    def __init__(self, database: PeopleDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def for_person(self, identity: str) -> list[SavedFilter]:
        """Those that somebody may use: their own, then those for all, each by name."""
        may_use = saved_filter.c.owner.in_((identity, EVERYBODY))
        order = (saved_filter.c.owner == EVERYBODY, saved_filter.c.name)
        query = saved_filter.select().where(may_use).order_by(*order)
        rows = self._database.ask(lambda connection: connection.execute(query).all())
        return [SavedFilter(row.number, row.owner, row.name, row.query) for row in rows]

    def save(self, owner: str, name: str, query: str) -> SavedFilter:
        """Save a filter; one of the same owner and name is replaced.

        Raises
        ------
        HilumError
            There is no name, it is too long, or there are too many.
        """
        name = " ".join(name.split())
        if not 0 < len(name) <= LONGEST_NAME:
            raise HilumError(f"a filter needs a name of at most {LONGEST_NAME} characters")
        of_owner = saved_filter.c.owner == owner
        of_name = of_owner & (saved_filter.c.name == name)

        def work(connection: sa.Connection) -> str:
            found = connection.execute(saved_filter.select().where(of_name)).first()
            if found:
                update = saved_filter.update().where(of_name).values(query=query)
                connection.execute(update)
                return str(found.number)
            count = sa.select(sa.func.count()).select_from(saved_filter).where(of_owner)
            if connection.execute(count).scalar_one() >= MOST:
                raise HilumError(f"there are {MOST} filters already: delete one first")
            made = {"number": secrets.token_urlsafe(6), "owner": owner, "name": name}
            values = {**made, "query": query, "created": self._clock()}
            connection.execute(saved_filter.insert().values(values))
            return made["number"]

        return SavedFilter(self._database.change(work), owner, name, query)

    def remove(self, owner: str, number: str) -> None:
        """Delete a filter of `owner`, if there is one."""
        mine = (saved_filter.c.owner == owner) & (saved_filter.c.number == number)
        self._database.change(lambda c: c.execute(saved_filter.delete().where(mine)))
