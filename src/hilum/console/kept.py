"""What people have typed that names patients: kept here for a while, so that no address holds it.

An address has the number of it, which says nothing to anybody but the person who typed it.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

MOST = 1000  # of each kind; the oldest ones go first
KEPT_SECONDS = 12 * 3600.0

Value = TypeVar("Value")


class _Typed(NamedTuple, Generic[Value]):
    """By whom and when (s)."""

    owner: str
    value: Value
    at: float


class Kept(Generic[Value]):
    """What everybody has typed of one kind; it is lost when the console is started anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._typed: OrderedDict[str, _Typed[Value]] = OrderedDict()

    def keep(self, owner: str, value: Value) -> str:
        """The number of what `owner` has typed."""
        number = secrets.token_urlsafe(9)
        self._typed[number] = _Typed(owner, value, self._clock())
        while len(self._typed) > MOST:
            self._typed.popitem(last=False)
        return number

    def of(self, owner: str, number: str) -> Value | None:
        """What has this number, if `owner` has typed it and it is not too old."""
        typed = self._typed.get(number)
        if typed is None or typed.owner != owner or self._clock() - typed.at > KEPT_SECONDS:
            return None
        return typed.value
