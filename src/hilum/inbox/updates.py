"""Messages about patients, kept until the gateway has seen to them.

They hold patient data, and stand in `patient-updates/` below the data folder, in the order in which
they came. The listener keeps each durably before it says that it has it.
"""

import hashlib
import time
from pathlib import Path

from hilum.inbox import write_durably
from hilum.privacy import make_private

FOLDER = "patient-updates"


def keep(data: Path, message: bytes) -> Path:
    """Keep a message that came; when this returns, it is on disk and fsynced."""
    folder = data / FOLDER
    make_private(folder)
    name = f"{time.time_ns():020d}-{hashlib.sha256(message).hexdigest()[:12]}.hl7"
    write_durably(folder / name, message)
    return folder / name


def came_at(file: Path) -> float:
    """When a message that was kept in `file` came, in s since 1970."""
    return int(file.name.partition("-")[0]) / 1e9


def updates_in(data: Path) -> list[Path]:
    """The messages that nobody has seen to yet, the first one first."""
    return sorted((data / FOLDER).glob("*.hl7"))
