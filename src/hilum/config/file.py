"""The file hilum.toml on the disk: read with what shows later that it was changed, and replaced.

Two people who edit at one time never overwrite each other: who saves names the text that they began
with, and is refused if the file says something else by then.
"""

import errno
import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hilum.config import site_in, text_of
from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.inbox import sync_folder

Fingerprint = tuple[int, int, int]
MOST_RACES = 100
MOUNTED_ALONE = "it is mounted by itself and cannot be replaced: mount the folder that it lies in"


class ChangedMeanwhile(ConfigurationError):  # noqa: N818
    """Somebody else has changed the settings file since it was read."""


@dataclass(frozen=True)
class SettingsFile:
    """The settings file at `path`, which may be a symbolic link."""

    path: Path

    def read(self) -> "SettingsText":
        """What it says now, byte for byte; raises `ConfigurationError`."""
        fingerprint = self.fingerprint()  # first: a change meanwhile is one that is still to come
        return SettingsText(self, text_of(self.path), fingerprint)

    def fingerprint(self) -> Fingerprint | None:
        """What is another one whenever the file was written; None where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def why_read_only(self) -> str:
        """Why Hilum cannot change it, and the cure; "" if it can."""
        real = self.path.resolve()
        try:
            owner = real.stat().st_uid
        except OSError as error:
            return f"{self.path}: {error.strerror}"
        name = _user(os.geteuid())
        if not os.access(real, os.W_OK, effective_ids=True):
            return f"{self.path} is read-only for {name}, as whom Hilum runs: change it by hand"
        if not os.access(real.parent, os.W_OK | os.X_OK, effective_ids=True):
            folder = shlex.quote(str(real.parent))
            return (
                f"{name}, as whom Hilum runs, may not put a file into {folder}, where {real.name} "
                "lies: change it by hand"
            )
        if os.geteuid() not in (0, owner):
            cure = f"`chown {name} {shlex.quote(str(real))}`"
            return f"{self.path} belongs to {_user(owner)}, and would not any more: {cure}"
        return ""

    def replace(self, before: "SettingsText", after: str, check: Callable[[Site], None]) -> Site:
        """Have it say `after`, if it still says `before` and `after` passes; the settings it gives.

        It is whole at any time, and keeps its owner and its rights.

        Raises
        ------
        ChangedMeanwhile
            It does not say `before` any more.
        ConfigurationError
            `after` cannot be used, or the file cannot be changed; the text says why.
        """
        if problem := self.why_read_only():
            raise ConfigurationError(problem)
        site = site_in(after)
        check(site)
        real = self.path.resolve()
        try:
            with _locked(real) as file:
                if file.read() != before.text.encode():
                    raise ChangedMeanwhile(
                        f"{self.path} was changed meanwhile: nothing of yours was saved; look at "
                        "what it says now, and do it again"
                    )
                _put(real, after.encode())
        except OSError as error:
            why = MOUNTED_ALONE if error.errno == errno.EBUSY else error.strerror
            raise ConfigurationError(f"{self.path} was not changed: {why}") from error
        return site


@dataclass(frozen=True)
class SettingsText:
    """What a settings file said when it was read."""

    file: SettingsFile
    text: str
    fingerprint: Fingerprint | None

    @property
    def digest(self) -> str:
        """What tells the text from any other one."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """The file at `path`, which no other Hilum replaces meanwhile."""
    for _ in range(MOST_RACES):
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return  # else another was put in its place while we waited
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _put(path: Path, content: bytes) -> None:
    status = path.stat()
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchown(descriptor, status.st_uid, status.st_gid)
            shutil.copystat(path, partial)
            os.utime(partial)
            os.fsync(descriptor)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
