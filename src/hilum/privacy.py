"""Patient data are their owner's alone: what others may not read, they cannot lose."""

import os
import pwd
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from hilum.errors import ConfigurationError

OWNER_ONLY = 0o700
OTHERS = 0o077  # group and everybody


def make_private(folder: Path) -> None:
    """Make `folder`, and let nobody else into it; where that is not ours to do, `intruded` says so.

    `OSError` if it cannot be made.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    with suppress(PermissionError):  # it is somebody else's
        folder.chmod(OWNER_ONLY)


def denied(error: OSError, path: Path) -> str:
    """Why `path` cannot be had, and whose it is where that is why."""
    problem = error.strerror or type(error).__name__
    if isinstance(error, PermissionError) and (owner := _owner_of(path)):
        problem = (
            f"{problem}: it belongs to {owner}, so run this as {owner} (`sudo -u {owner} ...`)"
        )
    return problem


def _owner_of(path: Path) -> str:
    """The user to whom the first of `path` and the folders around it belongs that can be seen.

    "" if that is us.
    """
    for seen in (path, *path.absolute().parents):
        with suppress(OSError):
            owner = seen.stat().st_uid
            return "" if owner == os.geteuid() else _name_of(owner)
    return ""


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"the user {user}"


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


def secret_in(file: Path, what: str = "the password") -> str:
    """The text in `file`, which nobody but the user who runs Hilum may read or write.

    `what` it is to hold, for the cure.

    Raises
    ------
    ConfigurationError
        The file cannot be used; the text ends with the cure.
    """
    try:
        status = file.stat()
        mode = stat.S_IMODE(status.st_mode)
        if mode & OTHERS:
            text = f"others may read or write {file} (mode {mode:o})"
            raise ConfigurationError(f"{text}: {_made_private(file, status)}")
        return file.read_text().strip()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not text: write {what} into it") from error
    except OSError as error:
        cure = f"write {what} into it, and let nobody but the user who runs Hilum read it"
        raise ConfigurationError(f"cannot read {file}: {error.strerror}: {cure}") from error


def _made_private(file: Path, status: os.stat_result) -> str:
    """The command after which its owner, who runs Hilum, may read `file` and nobody else."""
    quoted = shlex.quote(str(file))
    chmod = f"chmod 600 {quoted}"
    is_ours = os.geteuid() in (0, status.st_uid)
    return chmod if is_ours else f"chown {os.geteuid()} {quoted} && {chmod}"
