"""A backup while Hilum runs, as a folder whose `data` can take the place of the data folder.

What makes it consistent is the order. First come the copies of single records, if there are any:
they may not be newer than the database. Then the database, in one moment. Then images and results:
whatever the records name was on the disk before, and no file is ever changed in place. Images that
came meanwhile are in the backup without a record, as after a crash, and are found at the next
start. The database of the engine is left out: unfinished work is enqueued anew from the records.
"""

import errno
import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from hilum.config.site import RECORDS, Site
from hilum.errors import BackupError, MissingPartError
from hilum.inbox import sync_folder
from hilum.privacy import make_private

APART = ("audit.db", "people.db")  # who did what; who may sign in
DUMP = "records.dump"  # the same, from PostgreSQL
COPIES = "records"  # folder of the copies of single records
MOVING = ("quarantine", "versions")  # a corrected image goes from the first to the second, and on
PASSING = ("partial", "logs")  # folders that nobody misses
PASSING_FILES = ("*.db", "*.db-*", "*.lock", "*.sock", "*.part")
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
INSTALL = "`pg_dump` is not installed: apt-get install postgresql-client"


@dataclass(frozen=True)
class Backup:
    """What was made: how many files below `folder`, how many bytes they hold.

    `linked` says that images and results are hard links: they take no room and share the disk.
    """

    folder: Path
    files: int
    bytes: int
    linked: bool


def back_up(site: Site, config: Path, folder: Path, progress: Callable[[int], None]) -> Backup:
    """Make a backup of `site`, whose settings are the file `config`, in a new `folder`.

    `progress` is called with the number of files so far. A backup that is broken off leaves nothing
    under its name.

    Raises
    ------
    BackupError
        The folder cannot be used, or the database could not be copied.
    MissingPartError
        The program that copies the database is not installed.
    """
    _require_usable(site, folder)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of one that was broken off
    try:
        make_private(unfinished)
        made = _fill(site, config, unfinished, progress)
        os.sync()
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return Backup(folder, made.files, made.bytes, made.linked)


def restoring(site: Site, folder: Path) -> list[str]:
    """The commands that restore the backup in `folder` while Hilum is stopped, in their order."""
    data, aside, copy, dump = (
        shlex.quote(str(path))
        for path in (
            site.data,
            site.data.with_name(f"{site.data.name}.before"),
            folder / "data",
            folder / DUMP,
        )
    )
    commands = [f"mv {data} {aside}", f"cp -a {copy} {data}"]
    for name in APART:  # what people did is not undone, and no old password comes back
        if (site.data / name).exists():
            commands.append(f"cp -p {aside}/{name}* {data}")
    if site.database:
        url = shlex.quote(_without_password(site.database))
        restore = "pg_restore --clean --if-exists --no-owner --single-transaction"
        commands.append(f"psql -q {url} -c 'DROP SCHEMA IF EXISTS dbos CASCADE'")
        commands.append(f"{restore} -d {url} {dump}")
    return commands


def _require_usable(site: Site, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is there already: choose a folder that is new")
    if folder.resolve().is_relative_to(site.data.resolve()):
        raise BackupError(f"{folder} lies in the data folder: choose one outside of it")
    if not site.data.is_dir():
        raise BackupError(f"{site.data} is no folder: there is nothing to back up yet")


def _fill(site: Site, config: Path, folder: Path, progress: Callable[[int], None]) -> "_Tree":
    tree = _Tree(site.data, folder / "data", progress)
    make_private(tree.target)
    shutil.copy2(config, folder / "hilum.toml")
    tree.take(COPIES)
    if site.database:
        _dump(site.database, folder / DUMP)
    elif (site.data / RECORDS).exists():
        _copy_database(site.data / RECORDS, tree.target / RECORDS)
    for name in APART:
        if (site.data / name).exists():
            _copy_database(site.data / name, tree.target / name)
    others = sorted({path.name for path in site.data.iterdir()} - {COPIES, *MOVING, *PASSING})
    for name in (*MOVING, *others, *MOVING):
        tree.take(name)
    return tree


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database of SQLite as it is in one moment. Nobody who writes to it has to wait."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as one,
            closing(sqlite3.connect(target)) as other,
        ):
            one.backup(other)
            (found,) = other.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{source} cannot be copied: {error}") from error
    if found != "ok":
        raise BackupError(f"{source} is damaged ({found}): no backup was made")


def _dump(database: str, target: Path) -> None:
    """Have PostgreSQL's own program copy our tables as they are in one moment."""
    url = sa.make_url(database)
    command = ["pg_dump", "--format=custom", "--exclude-schema=dbos", f"--file={target}"]
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    try:
        done = subprocess.run(
            [*command, f"--dbname={_without_password(database)}"],
            env={**os.environ, **password},
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise MissingPartError(INSTALL) from error
    if done.returncode:
        raise BackupError(f"pg_dump has failed: {done.stderr.strip()}")


def _without_password(database: str) -> str:
    url = sa.make_url(database).set(drivername="postgresql")
    return url._replace(password=None).render_as_string()


class _Tree:
    """Files that are linked, or copied where that cannot be, from `source` to `target`."""

    def __init__(self, source: Path, target: Path, progress: Callable[[int], None]) -> None:
        self.source = source
        self.target = target
        self.files = 0
        self.bytes = 0
        self.linked = True
        self._progress = progress

    def take(self, name: str) -> None:
        """Take the file of that name, or all in the folder; one that has gone is left out."""
        for path in _files(self.source / name):
            copy = self.target / path.relative_to(self.source)
            if copy.exists() or any(path.match(pattern) for pattern in PASSING_FILES):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._take(path, copy)
                self.bytes += copy.stat().st_size
            except FileNotFoundError:
                continue  # a rule has removed it
            self.files += 1
            self._progress(self.files)

    def _take(self, path: Path, copy: Path) -> None:
        if self.linked:
            try:
                os.link(path, copy)
                return
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
                self.linked = False
        shutil.copy2(path, copy)


def _files(place: Path) -> Iterator[Path]:
    """All regular files below a folder, as far as they are still there; or a file itself."""
    found = [place]
    found += (Path(root, name) for root, _, names in os.walk(place) for name in names)
    return (path for path in found if path.is_file() and not path.is_symlink())
