"""The audit trail in a database of its own: entries are added, and nothing else.

Several processes may add at the same time; each takes the lock of the file before it looks for the
last entry. Triggers refuse whatever would change or remove one, but for a purge, which leaves an
entry that names what it removed. They are against mistakes: against somebody who removes them,
too, helps the chain (`chain.py`).
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hilum.audit import chain
from hilum.audit.entry import (
    CONTENT,
    AuditedAct,
    AuditEntry,
    AuditNote,
    AuditOutcome,
    ChainHead,
    ObjectType,
    Origin,
    Value,
    content_of,
    seal,
)
from hilum.audit.gaps import opened_privately
from hilum.audit.schema import COLUMNS, require_tables, why, write
from hilum.errors import AuditUnavailable

FILE = "audit.db"  # in the data folder
PATIENCE = 5.0  # s, with another process that writes
Returned = TypeVar("Returned")


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; "", () and None mean any. Of several `studies`, one is enough.

    `studies` are Study Instance UIDs; times in s since 1970, `until` excluded.
    """

    person: str = ""
    act: AuditedAct | None = None
    studies: tuple[str, ...] = ()
    patient_id: str = ""
    since: float | None = None
    until: float | None = None

    def condition(self) -> tuple[str, list[Value]]:
        """As SQL, with its values."""
        parts: list[tuple[str, Sequence[Value]]] = [
            (f"{name} = ?", [value])
            for name in ("person", "act", "patient_id")
            if (value := getattr(self, name))
        ]
        if self.studies:
            marks = ", ".join("?" for _ in self.studies)
            parts.append((f"study_uid IN ({marks})", self.studies))
        if self.since is not None:
            parts.append(("at >= ?", [self.since]))
        if self.until is not None:
            parts.append(("at < ?", [self.until]))
        sql = " AND ".join(["1", *(part for part, _ in parts)])
        return sql, [value for _, values in parts for value in values]


@dataclass(frozen=True)
class CollectorStanding:
    """How far a collector has got, and since when (s since 1970) and why it gets no further."""

    position: int = 0
    failing_since: float | None = None
    problem: str = ""


class AuditStore:
    """The audit trail in `file`, which is made when the first entry is added.

    Raises
    ------
    AuditUnavailable
        By every method: it cannot be read or written; the text says why, and the cure.
    OtherVersionError
        By every method: a newer Hilum has made it.
    """

    def __init__(self, file: Path, patience: float = PATIENCE) -> None:
        self.file = file
        self._patience = patience
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()

    def add(self, *notes: AuditNote) -> AuditEntry:
        """Write entries down, all or none; the last of them. It is on the disk then."""
        return self._do(lambda c: write(c, lambda: [_add(c, note) for note in notes][-1]))

    def head(self) -> ChainHead | None:
        """The last entry; None if there is none."""
        return self._read(_head, None)

    def count(self, wanted: AuditFilter) -> int:
        """How many entries are wanted."""
        sql, values = wanted.condition()
        query = f"SELECT count(*) FROM entry WHERE {sql}"
        return self._read(lambda c: int(c.execute(query, values).fetchone()[0]), 0)

    def latest(self, wanted: AuditFilter, limit: int, skip: int = 0) -> list[AuditEntry]:
        """The entries that are wanted, the latest first."""
        sql, values = wanted.condition()
        query = f"SELECT {COLUMNS} FROM entry WHERE {sql} ORDER BY number DESC LIMIT ? OFFSET ?"
        return self._read(lambda c: _entries(c.execute(query, [*values, limit, skip])), [])

    def after(self, number: int, limit: int) -> list[AuditEntry]:
        """The entries that follow entry `number`."""
        query = f"SELECT {COLUMNS} FROM entry WHERE number > ? ORDER BY number LIMIT ?"
        return self._read(lambda c: _entries(c.execute(query, [number, limit])), [])

    def verify(self, known: ChainHead | None = None) -> chain.ChainReport:
        """Whether the trail is as it was written, and holds the head that is `known`."""
        with closing(AuditStore(self.file, self._patience)) as apart:  # it takes its time
            return apart._read(lambda c: chain.verify(_sealed(c), known), chain.verify((), known))

    def purge(self, note: AuditNote, before: float, upto: int) -> int:
        """Remove what is older than `before` (s since 1970), up to entry `upto`; how many.

        `note` becomes the entry that tells of it: its object is the number of the last entry that
        was removed, and its reason the hash of it, so that the chain goes on from there.
        """

        def purged(connection: sqlite3.Connection) -> int:
            last = _last_before(connection, before, upto)
            if last is None:
                return 0
            told = {"object": str(last.number), "reason": last.hash}
            _add(connection, AuditNote(**(vars(note) | told)))
            return connection.execute("DELETE FROM entry WHERE number <= ?", [last.number]).rowcount

        return self._read(lambda c: write(c, lambda: purged(c)), 0)

    def standings(self) -> dict[str, CollectorStanding]:
        """How far each collector has got, by its name."""
        query = "SELECT name, position, failing_since, problem FROM collector"
        return self._read(
            lambda c: {name: CollectorStanding(*row) for name, *row in c.execute(query)}, {}
        )

    def note_standing(self, name: str, standing: CollectorStanding) -> None:
        """Write down how far a collector has got."""
        values = [name, standing.position, standing.failing_since, standing.problem]
        query = "INSERT OR REPLACE INTO collector VALUES (?, ?, ?, ?)"
        self._do(lambda c: write(c, lambda: c.execute(query, values)))

    def _read(self, work: Callable[[sqlite3.Connection], Returned], empty: Returned) -> Returned:
        """What `work` finds, or `empty` where no entry was ever written."""
        return self._do(lambda c: work(c) if c else empty, make=False)

    def _do(self, work: Callable[[Any], Returned], make: bool = True) -> Returned:
        with self._lock:
            try:
                return work(self._opened() if make or self.file.exists() else None)
            except sqlite3.IntegrityError:
                raise  # what was to be written is no entry
            except (sqlite3.Error, OSError) as error:
                self._drop()  # what is wrong with the file may be over when it is opened anew
                raise AuditUnavailable(f"{self.file}: {why(error, self.file)}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._make()
            self._connection = sqlite3.connect(
                self.file, self._patience, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA secure_delete=ON")  # patient IDs that were purged
            require_tables(self._connection)
        return self._connection

    def _make(self) -> None:
        """Make the file, readable by its owner only, if it is not there.

        One that is there is left alone: whoever closes any descriptor of it takes away the locks of
        every connection that this process has to it (https://sqlite.org/howtocorrupt.html, 2.2).
        """
        if not self.file.exists():
            os.close(opened_privately(self.file))

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _head(connection: sqlite3.Connection) -> ChainHead | None:
    query = "SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return ChainHead(*row) if row else None


def _add(connection: sqlite3.Connection, note: AuditNote) -> AuditEntry:
    last = _head(connection) or ChainHead(0, "")
    content = content_of(note)
    number = last.number + 1
    row = (number, *content, last.hash, seal(content, number, last.hash))
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO entry ({COLUMNS}) VALUES ({marks})", row)
    return _entry(row)


def _last_before(connection: sqlite3.Connection, before: float, upto: int) -> ChainHead | None:
    """The last of those at the beginning that are all older than `before`."""
    query = (
        "SELECT number, hash FROM entry WHERE number <= ? AND number < coalesce("
        "(SELECT min(number) FROM entry WHERE at >= ?), number + 1) ORDER BY number DESC LIMIT 1"
    )
    row = connection.execute(query, [upto, before]).fetchone()
    return ChainHead(*row) if row else None


def _entries(rows: Iterator[tuple[Value, ...]] | sqlite3.Cursor) -> list[AuditEntry]:
    return [_entry(row) for row in rows]


def _entry(row: Sequence[Any]) -> AuditEntry:
    number, *content, previous, sealed = row
    values = dict(zip(CONTENT, content, strict=True))
    try:
        typed = {
            "origin": Origin(values["origin"]),
            "act": AuditedAct(values["act"]),
            "object_type": ObjectType(values["object_type"]),
            "outcome": AuditOutcome(values["outcome"]),
        }
    except ValueError as error:
        text = f"entry {number} was changed: `hilum audit verify` tells what is wrong"
        raise AuditUnavailable(text) from error
    return AuditEntry(number=number, previous=previous, hash=sealed, **(values | typed))


def _sealed(connection: sqlite3.Connection) -> Iterator[chain.SealedRow]:
    """Every row as it stands, whatever somebody may have written into it."""
    for number, *content, previous, sealed in connection.execute(
        f"SELECT {COLUMNS} FROM entry ORDER BY number"
    ):
        values = [value if isinstance(value, str | float) else repr(value) for value in content]
        by_name = dict(zip(CONTENT, map(str, values), strict=True))
        yield chain.SealedRow(
            number,
            tuple(values),
            by_name["act"],
            by_name["object"],
            by_name["reason"],
            str(previous),
            str(sealed),
        )
