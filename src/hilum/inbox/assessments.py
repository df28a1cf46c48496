"""Which received objects may say what a reader thinks of a result, until the gateway has read them.

The receiver keeps a slip for each such object, after the object and before it says that it has it:
who sent it is nowhere in the object that others cannot write.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hilum.inbox import digest, write_durably
from hilum.privacy import make_private

FOLDER = "assessments"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slip:
    """An object that came: its file below the data folder, the calling AE title and the address."""

    path: Path
    caller: str
    address: str


_SLIP = TypeAdapter(Slip)


def keep(data: Path, slip: Slip) -> None:
    """Keep a slip; when this returns, it is on disk and fsynced. The same one is kept once."""
    folder = data / FOLDER
    make_private(folder)
    name = digest(f"{slip.path} {slip.caller}")
    write_durably(folder / f"{name}.json", _SLIP.dump_json(slip))


def slips_in(data: Path) -> Iterator[tuple[Path, Slip]]:
    """The slips whose objects nobody has read yet, the oldest first.

    A broken one is left out, and so is one that cannot be read now.
    """
    files = [(path.stat().st_mtime_ns, path) for path in (data / FOLDER).glob("*.json")]
    for _at, path in sorted(files):
        try:
            yield path, _SLIP.validate_json(path.read_bytes())
        except ValidationError:
            continue
        except OSError as error:
            log.warning("it cannot be read who sent an object: %s", error.strerror)
