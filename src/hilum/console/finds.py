"""Searches that name patients: kept here for a while, so that no address holds what was typed.

An address has the number of a search, which says nothing to anybody but the person who made it.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hilum.records.search import StudyQuery

MOST = 1000  # searches; the oldest ones go first
KEPT_SECONDS = 12 * 3600.0


@dataclass(frozen=True)
class Find:
    """A search, by whom and when (s)."""

    owner: str
    query: StudyQuery
    at: float


class Finds:
    """The searches of everybody; they are lost when the console is started anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finds: OrderedDict[str, Find] = OrderedDict()

    def keep(self, owner: str, query: StudyQuery) -> str:
        """The number of a search that `owner` makes."""
        number = secrets.token_urlsafe(9)
        self._finds[number] = Find(owner, query, self._clock())
        while len(self._finds) > MOST:
            self._finds.popitem(last=False)
        return number

    def query(self, owner: str, number: str) -> StudyQuery | None:
        """The search with this number, if `owner` has made it and it is not too old."""
        find = self._finds.get(number)
        if find is None or find.owner != owner or self._clock() - find.at > KEPT_SECONDS:
            return None
        return find.query
