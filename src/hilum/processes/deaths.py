"""Which of our processes have died lately.

They stand in a file of the data folder: it needs neither the database, which may be what ends them,
nor any of them. Each machine that works on a data folder has a file of its own.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

KEPT_SECONDS = 600.0
FILES = "deaths-*.json"


@dataclass(frozen=True)
class Death:
    """A process died at a time (s since 1970); the exit code is -N where signal N ended it."""

    process: str
    at: float
    exit_code: int | None


_DEATHS = TypeAdapter(list[Death])


def note_death(data: Path, death: Death) -> None:
    """Add a death, and forget those of long ago. Whoever calls this must live: it never raises."""
    file = data / FILES.replace("*", socket.gethostname())
    kept = [*_read(file, death.at), death]
    new = file.with_suffix(".new")
    with suppress(OSError):  # no room: it goes without
        new.write_bytes(_DEATHS.dump_json(kept))
        new.replace(file)


def deaths_in(data: Path, now: float) -> list[Death]:
    """The deaths of the last ten minutes before `now`, on whatever machine, in their order."""
    found = [death for file in data.glob(FILES) for death in _read(file, now)]
    return sorted(found, key=lambda death: death.at)


def _read(file: Path, now: float) -> list[Death]:
    with suppress(OSError, ValueError):
        return [d for d in _DEATHS.validate_json(file.read_bytes()) if now - d.at < KEPT_SECONDS]
    return []
