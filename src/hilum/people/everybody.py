"""People and programs of one installation."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hilum.config.console import Console
from hilum.people.accounts import Accounts, Person
from hilum.people.attempts import Attempts
from hilum.people.database import PeopleDatabase
from hilum.people.filters import SavedFilters
from hilum.people.links import Links
from hilum.people.passwords import fits, is_outdated
from hilum.people.sessions import Limits, Sessions
from hilum.people.tokens import Tokens

_LINKS = "#"  # no name of a person, and no address


@dataclass(frozen=True)
class Pause:
    """Too many attempts failed; the next one may come in so many `seconds`.

    `is_first` says that nobody was told of this pause yet.
    """

    seconds: float
    is_first: bool


class Everybody:
    """Accounts, sessions, tokens, links and failed attempts, as they are kept below `data`.

    `clock` gives s since 1970. Errors are those of `PeopleDatabase`.
    """

    def __init__(
        self, data: Path, settings: Console, clock: Callable[[], float] = time.time
    ) -> None:
        limits = Limits(60 * settings.idle_minutes, 3600 * settings.session_hours)
        self._database = PeopleDatabase(data)
        self.accounts = Accounts(self._database, clock, settings.has_other_administrators)
        self.sessions = Sessions(self._database, limits, clock)
        self.tokens = Tokens(self._database, clock)
        self.links = Links(self._database, clock)
        self.filters = SavedFilters(self._database, clock)
        self._attempts = Attempts(self._database, clock)

    def sign_in(self, name: str, password: str, address: str) -> Person | Pause | None:
        """The account of `name` if the password is right, None if it is not.

        It takes the time and memory of one hash, unless too many attempts for the name, or from the
        address, came before.
        """
        made = self._attempts.begin(name, address)
        if made.pause:
            return Pause(made.pause, made.is_first)
        kept = self.accounts.password_of(name)
        if not fits(password, kept) or kept is None:
            return None
        self._attempts.succeeded(made)
        if is_outdated(kept):
            self.accounts.renew_hash(name, password)
        return self.accounts.get(name)

    def open_link(self, key: str) -> str | Pause | None:
        """The name that a link signs in, None if `key` opens nothing.

        Or a pause, once too many keys opened nothing: a right key opens at any time, so that nobody
        keeps others out.
        """
        if name := self.links.use(key):
            return name
        made = self._attempts.begin(_LINKS, _LINKS)
        return Pause(made.pause, made.is_first) if made.pause else None

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
