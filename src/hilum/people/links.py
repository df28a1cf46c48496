"""Links that sign in once, for whoever sits at the machine and may read the data folder."""

from collections.abc import Callable

import sqlalchemy as sa

from hilum.people.database import PeopleDatabase, link
from hilum.people.keys import kept, new_key


class Links:
    """The links that were made and not used yet."""

    def __init__(self, database: PeopleDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def make(self, name: str, seconds: float) -> str:
        """The key of a new link that signs `name` in once within so many `seconds`."""
        key, now = new_key(), self._clock()
        row = {"key_hash": kept(key, "link"), "name": name, "ends": now + seconds}

        def work(connection: sa.Connection) -> None:
            connection.execute(link.delete().where(link.c.ends <= now))
            connection.execute(link.insert().values(row))

        self._database.change(work)
        return key

    def use(self, key: str) -> str | None:
        """The name that `key` signs in, and never again; None if it opens nothing."""
        mine = (link.c.key_hash == kept(key, "link")) & (link.c.ends > self._clock())
        used = link.delete().where(mine).returning(link.c.name)
        return self._database.change(lambda c: c.scalar(used))
