"""The settings that were accepted, one after the other, and the refusal of those that were not.

They are files in the data folder, which only their owner may read, and no table: the parent of all
our processes keeps them, and goes on without the database. The newest is what Hilum works by.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from hilum.inbox import write_durably, write_once
from hilum.privacy import make_private

FOLDER = "settings"
REFUSALS = "refused-*.json"


@dataclass(frozen=True)
class SettingsVersion:
    """One accepted text of hilum.toml: since when (s since 1970), by whom ("": by hand), and why.

    Numbers begin with 1.
    """

    number: int
    at: float
    by: str
    why: str
    text: str


@dataclass(frozen=True)
class SettingsRefusal:
    """Why a changed hilum.toml is not followed, and since when (s since 1970)."""

    at: float
    reason: str


_VERSION = TypeAdapter(SettingsVersion)
_REFUSAL = TypeAdapter(SettingsRefusal)


class SettingsVersions:
    """The versions that lie below the data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def numbers(self) -> list[int]:
        """Of all versions, in their order."""
        return sorted(int(file.stem) for file in self._files())

    def one(self, number: int) -> SettingsVersion | None:
        """The version with this number, if there is one."""
        try:
            return _VERSION.validate_json((self._folder / f"{number}.json").read_bytes())
        except FileNotFoundError:
            return None

    def newest(self) -> SettingsVersion | None:
        """The settings that Hilum works by."""
        return next(self.backwards(), None)

    def backwards(self) -> Iterator[SettingsVersion]:
        """All of them, the newest first."""
        return filter(None, map(self.one, reversed(self.numbers())))

    def keep(self, text: str, at: float, by: str = "", why: str = "") -> SettingsVersion:
        """The version with this text: the newest, if that has it, or else a new one.

        Several processes may do so at once. `OSError` if there is no room.
        """
        make_private(self._folder)
        while True:
            newest = self.newest()
            if newest and newest.text == text:
                return newest
            made = SettingsVersion(newest.number + 1 if newest else 1, at, by, why, text)
            if write_once(self._folder / f"{made.number}.json", _VERSION.dump_json(made)):
                return made  # else another process was quicker

    def refuse(self, reason: str, at: float) -> None:
        """Note on this machine that the file is not followed. It never raises."""
        with suppress(OSError):  # no room: the log says it
            make_private(self._folder)
            write_durably(self._refusal(), _REFUSAL.dump_json(SettingsRefusal(at, reason)))

    def accept(self) -> None:
        """Note on this machine that the file is followed. It never raises."""
        with suppress(OSError):
            self._refusal().unlink(missing_ok=True)

    def refusals(self) -> list[SettingsRefusal]:
        """Those that stand, one for each machine."""
        found = []
        for file in sorted(self._folder.glob(REFUSALS)):
            with suppress(OSError, ValueError):  # it was accepted meanwhile
                found.append(_REFUSAL.validate_json(file.read_bytes()))
        return found

    def _files(self) -> Iterator[Path]:
        return (file for file in self._folder.glob("*.json") if file.stem.isdecimal())

    def _refusal(self) -> Path:
        return self._folder / REFUSALS.replace("*", socket.gethostname())
