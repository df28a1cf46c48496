"""`hilum recover`: our records are made again from what lies on disk.

A database that is damaged is put aside, one that is only older is kept. Each study whose copy
(`hilum.records.copies`) is newer than the database is put back as the copy has it. What was
verified stays verified, and what was still owed is owed, so its destination is asked before
anything is sent. A study without a copy is decided on anew by the next `hilum serve`. The UIDs of
its results hold no clock (`hilum.study.runs`): an archive that has them shows them when asked.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from hilum.config.site import ENGINE, RECORDS, Site
from hilum.engine import durable
from hilum.errors import ConfigurationError, RecordsUnusable
from hilum.records import PATIENCE_OF_COMMANDS, Records, records_url
from hilum.records.copies import Copies, Copy, newest_event
from hilum.records.executors import DEAD_SECONDS
from hilum.records.migrations.others import still_there
from hilum.records.restoring import (
    go_on_counting,
    owed_and_arrived,
    put_back,
    put_cursors_back,
    put_pauses_back,
    study_folders,
)
from hilum.records.soundness import damage_of, require_writable

STUDIES_AT_ONCE = 100  # in one transaction
SIDE_FILES = ("", "-wal", "-shm")  # of a database of SQLite
Progress = Callable[[str, int, int], None]  # the step, and how many of how many are done


@dataclass(frozen=True)
class Recovered:
    """What was found, and what was made of it."""

    set_aside: tuple[Path, ...]  # databases
    put_back: int  # studies
    as_new: int  # studies of which the records knew as much as the copy
    unreadable: tuple[Path, ...]  # copies
    without_records: int  # studies that the next start decides on
    owed: int  # deliveries whose destination is asked by the next start
    arrived: int  # deliveries that are known to have arrived


def recover(site: Site, progress: Progress, dead_seconds: float = DEAD_SECONDS) -> Recovered:
    """Make the records of `site` again; nobody else may work in its data folder meanwhile.

    `dead_seconds` is how long a process on another machine may give no sign of life until it counts
    as stopped.

    Raises
    ------
    ConfigurationError
        A process still works on the records, here or on another machine.
    OtherVersionError
        Another version of Hilum, or another program, made the tables.
    RecordsUnusable
        Nothing can be read or written there; the text says the cure.
    """
    damaged = not site.database and _is_damaged(site.data / RECORDS)
    if not damaged:
        _require_alone(site, dead_seconds)
    aside = _set_aside(site, damaged)
    records = Records(records_url(site), PATIENCE_OF_COMMANDS)
    transact = records.database.transact
    try:
        copies = Copies(site.data)
        files = copies.files()
        outcomes: list[bool | None] = []
        for start in range(0, len(files), STUDIES_AT_ONCE):
            read = [copies.read(file) for file in files[start : start + STUDIES_AT_ONCE]]
            outcomes += _put_back(records, read)
            progress("studies", len(outcomes), len(files))
        transact(go_on_counting)
        transact(lambda connection: put_cursors_back(connection, copies.cursors))
        transact(lambda connection: put_pauses_back(connection, copies.pauses))
        copies.write_last(transact(newest_event), copies.cursors, copies.pauses)
        owed, arrived = transact(owed_and_arrived)
        return Recovered(
            set_aside=aside,
            put_back=outcomes.count(True),
            as_new=outcomes.count(False),
            unreadable=tuple(f for f, o in zip(files, outcomes, strict=True) if o is None),
            without_records=_without_records(site, records),
            owed=owed,
            arrived=arrived,
        )
    finally:
        records.close()


def _is_damaged(records: Path) -> bool:
    if not records.exists():
        return False
    require_writable(records)
    return bool(damage_of(records))


def _require_alone(site: Site, dead_seconds: float) -> None:
    """Raise `ConfigurationError` if a process on record still works on the records of `site`.

    The lock files keep out neither workers nor what runs on other machines.
    """
    if not (site.database or (site.data / RECORDS).exists()):
        return
    with closing(Records(records_url(site), PATIENCE_OF_COMMANDS)) as records:
        if others := still_there(records.database.transact, dead_seconds):
            text = f"Hilum still works on these records ({others}): stop it on every machine"
            raise ConfigurationError(f"{text}, then type `hilum recover` again")


def _set_aside(site: Site, damaged: bool) -> tuple[Path, ...]:
    """Rename what is damaged, and what the engine knows: it gets all unfinished work anew."""
    if site.database:
        durable.forget(site.database)
        return ()
    records, engine = site.data / RECORDS, site.data / ENGINE
    aside = [engine] if engine.exists() else []
    aside += [records] if damaged else []
    ending = time.strftime("aside-%Y%m%d-%H%M%S")
    for file in (Path(f"{database}{side}") for database in aside for side in SIDE_FILES):
        try:
            file.rename(file.with_name(f"{ending}-{file.name}"))
        except FileNotFoundError:
            continue  # it was closed in order
        except OSError as error:
            raise RecordsUnusable(f"{file} cannot be put aside: {error.strerror}") from error
    return tuple(file.with_name(f"{ending}-{file.name}") for file in aside)


def _put_back(records: Records, copies: Sequence[Copy | None]) -> list[bool | None]:
    """For each copy: whether it was newer and is put back; None if it cannot be put back.

    All in one transaction; one by one only if one of them cannot be put back.
    """

    def put(connection: sa.Connection) -> list[bool | None]:
        return [None if copy is None else put_back(connection, *copy) for copy in copies]

    try:
        return records.database.transact(put)
    except (sa.exc.IntegrityError, sa.exc.CompileError):  # the columns of another version
        if len(copies) == 1:
            return [None]
        return [outcome for copy in copies for outcome in _put_back(records, [copy])]


def _without_records(site: Site, records: Records) -> int:
    """How many studies lie on disk that no record tells of."""
    there = {folder.name for folder in (site.data / "incoming").glob("*") if folder.is_dir()}
    return len(there - records.database.transact(study_folders))
