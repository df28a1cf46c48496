"""Who guesses passwords pauses, longer each time. The pause ends by itself.

Failures are counted for each name and for each address. What is kept of both are hashes: people
type their password into the field of the name, too.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from hilum.people.accounts import normal
from hilum.people.database import PeopleDatabase, attempt
from hilum.people.keys import kept
from hilum.records.database import insert_once

FREE_PER_NAME, FREE_PER_ADDRESS = 5, 30  # failures before the first pause
LONGEST_PAUSE = 900.0  # seconds
FORGOTTEN_AFTER = 86400.0  # seconds


@dataclass(frozen=True)
class Try:
    """One attempt to sign in. `pause` is how many s it comes too early; 0 if it may be made.

    `is_first` says that nobody was told of this pause yet.
    """

    targets: tuple[str, ...]
    pause: float = 0.0
    is_first: bool = False


class Attempts:
    """The failures of the last day."""

    def __init__(self, database: PeopleDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def begin(self, name: str, address: str) -> Try:
        """Note an attempt, as a failure until `succeeded`: many at once gain nothing."""
        by_name, by_address = kept(normal(name), "name"), kept(_network(address), "address")
        free = {by_name: FREE_PER_NAME, by_address: FREE_PER_ADDRESS}
        now = self._clock()

        def work(connection: sa.Connection) -> Try:
            old = attempt.c.last < now - FORGOTTEN_AFTER
            connection.execute(attempt.delete().where(old))
            rows = connection.execute(attempt.select().where(attempt.c.target.in_(free))).all()
            ends = [row.last + pause_after(row.failures - free[row.target]) for row in rows]
            pause = max([end - now for end in ends], default=0.0)
            if pause > 0:
                told = [row.told == row.last for row in rows]
                mine = attempt.update().where(attempt.c.target.in_(free))
                connection.execute(mine.values(told=attempt.c.last))
                return Try(tuple(free), pause, is_first=not all(told))
            for target in free:
                _count(connection, target, now)
            return Try(tuple(free))

        return self._database.change(work)

    def succeeded(self, made: Try) -> None:
        """The password was right: the name begins anew, the address has this failure less."""
        by_name, by_address = made.targets

        def work(connection: sa.Connection) -> None:
            connection.execute(attempt.delete().where(attempt.c.target == by_name))
            less = attempt.update().where(attempt.c.target == by_address)
            connection.execute(less.values(failures=attempt.c.failures - 1))

        self._database.change(work)


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures beyond the free ones: 1, 2, 4 and so on."""
    return 0.0 if failures < 0 else min(2.0 ** min(failures, 10), LONGEST_PAUSE)


def _count(connection: sa.Connection, target: str, now: float) -> None:
    if insert_once(connection, attempt, {"target": target, "failures": 1, "last": now}):
        return
    mine = attempt.update().where(attempt.c.target == target)
    connection.execute(mine.values(failures=attempt.c.failures + 1, last=now))


def _network(address: str) -> str:
    """The network that one person has: a single address, or 64 bits of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
