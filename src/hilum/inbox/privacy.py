"""Patient data are their owner's alone: what others may not read, they cannot lose."""

import shlex
import stat
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o700
OTHERS = 0o077  # group and everybody


def make_private(folder: Path) -> None:
    """Make `folder`, and let nobody else into it; where that is not ours to do, `intruded` says so.

    `OSError` if it cannot be made.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    with suppress(PermissionError):  # it is somebody else's
        folder.chmod(OWNER_ONLY)


def open_to_others(folder: Path) -> str:
    """What is wrong if others than its owner have rights in `folder`, and the cure; "" if none."""
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except FileNotFoundError:
        return ""
    if not mode & OTHERS:
        return ""
    cure = f"chmod {OWNER_ONLY:o} {shlex.quote(str(folder))}"
    return (
        f"the data folder {folder} holds patient data and is open to others (mode {mode:o}): {cure}"
    )


def readable_by_all(file: Path) -> str:
    """What is wrong if everybody may read or write the secret in `file`, and the cure; else ""."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if not mode & stat.S_IRWXO:
        return ""
    return f"everybody may read {file} (mode {mode:o}): chmod 600 {shlex.quote(str(file))}"
