"""A copy of the records of each study, as a file beside the images: what is lost is made from it.

Below the data folder, `records/<study>.json` holds all rows of one study, and `records/last.json`
which line of all traces was copied last, how far each archive was watched, and what is paused. The
copies follow the database within about a second and are never read but by `hilum recover`, and at a
start, to see whether the database is as new as they are. They hold no names and no patient IDs:
those come from the images again. What a reader gave as reason is in them.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hilum.inbox import digest, write_durably
from hilum.privacy import make_private
from hilum.records import tables
from hilum.records.schema import Transact

Row = dict[str, Any]  # as JSON knows it: these rows are read and written, and looked at by nobody
StudyRows = dict[str, list[Row]]  # of one study, by the name of the table
Copy = tuple[str, StudyRows]  # the UID of the study, and its rows

BY_STUDY = (  # in this order they are put back
    tables.study,
    tables.address,
    tables.workitem,
    tables.event,
    tables.removal,
    tables.decision,
    tables.correction,
    tables.former,
    tables.subject,
    tables.upload,
    tables.step,
)
BY_WORKITEM = (
    tables.result,
    tables.delivery,
    tables.receipt,
    tables.commitment,
    tables.assessment,
)
LINES_AT_ONCE = 500  # lines of traces that are followed in one go
LATE = 500  # lines: PostgreSQL may show one so far behind others, as it was committed after them
MOST_STUDIES = 50  # that are read in one transaction


class Copies:
    """The files, below the data folder `data`."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "records"
        self._last = self._folder / "last.json"

    def write(self, study_uid: str, rows: StudyRows) -> None:
        """Keep the rows of one study, synced to the disk."""
        document = {"study_uid": study_uid, "rows": rows}
        self._write(self._folder / f"{digest(study_uid)}.json", document)

    def read(self, file: Path) -> Copy | None:
        """The UID and the rows of one study; None where the file cannot be understood."""
        try:
            document = json.loads(file.read_bytes())
            study_uid, rows = str(document["study_uid"]), document["rows"]
            known = {table.name for table in (*BY_STUDY, *BY_WORKITEM)}
            is_known = known == set(rows)
        except (ValueError, TypeError, LookupError):
            return None
        return (study_uid, rows) if is_known else None

    def files(self) -> list[Path]:
        """One file for each study."""
        return sorted(file for file in self._folder.glob("*.json") if file != self._last)

    @property
    def last_event(self) -> int:
        """Number of the last line that was copied, 0 before the first one."""
        return int(self._read_last().get("event", 0))

    @property
    def are_of_this_version(self) -> bool:
        """Whether they hold the columns of today's tables; if not, all are written anew."""
        return bool(self._read_last().get("columns") == _columns())

    @property
    def cursors(self) -> dict[str, str]:
        """How far each archive was watched, by its name."""
        return dict(self._read_last().get("cursors", {}))

    @property
    def pauses(self) -> list[Row]:
        """What people have paused."""
        return list(self._read_last().get("pauses", []))

    def write_last(self, event: int, cursors: Mapping[str, str], pauses: list[Row]) -> None:
        """Keep all of it, synced to the disk."""
        last = {"event": event, "cursors": dict(cursors), "columns": _columns(), "pauses": pauses}
        self._write(self._last, last)

    def _read_last(self) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads(self._last.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return values

    def _write(self, file: Path, document: Mapping[str, object]) -> None:
        content = json.dumps(document, separators=(",", ":")).encode()
        make_private(self._folder)
        if not file.exists() or file.read_bytes() != content:
            write_durably(file, content)


class Keeper:
    """Keeps the copies as new as the database. Call `follow` again and again."""

    def __init__(self, transact: Transact, data: Path) -> None:
        self._transact = transact
        self._copies = Copies(data)
        self._event = self._copies.last_event if self._copies.are_of_this_version else 0
        self._seen: set[int] = set()  # the last lines that were followed
        self._open: set[str] | None = None  # studies whose settling has no line in the trace

    def follow(self) -> bool:
        """Copy the studies in whose trace lines were written since; whether there may be more."""
        lines = self._transact(self._lines_since)
        if self._open is None:
            self._open = self._transact(_open_studies)
        changed = {study_uid for _, study_uid in lines} | self._settled()
        for studies in _portions(sorted(changed)):
            self._copy(studies)
        if lines:
            self._event = max(self._event, lines[-1][0])
            followed = self._seen.union(event for event, _ in lines)
            self._seen = {event for event in followed if event > self._event - LATE}
        is_more = len(lines) == LINES_AT_ONCE
        if not is_more:  # or the copies are not complete
            cursors, pauses = self._transact(lambda c: (_cursors(c), _pauses(c)))
            self._copies.write_last(self._event, cursors, pauses)
        return is_more

    def _copy(self, studies: Collection[str]) -> None:
        assert self._open is not None, "they are looked up first"
        for study_uid, rows in self._transact(lambda c: rows_of(c, studies)).items():
            self._copies.write(study_uid, rows)
            is_open = not rows["removal"] and any(not r["settled_images"] for r in rows["study"])
            (self._open.add if is_open else self._open.discard)(study_uid)

    def _lines_since(self, connection: sa.Connection) -> list[tuple[int, str]]:
        event = tables.event.c
        late = LATE if connection.dialect.name == "postgresql" else 0
        query = sa.select(event.id, event.study_uid).where(event.id > self._event - late)
        found = connection.execute(query.order_by(event.id).limit(late + LINES_AT_ONCE))
        return [(row.id, row.study_uid) for row in found if row.id not in self._seen][
            :LINES_AT_ONCE
        ]

    def _settled(self) -> set[str]:
        return self._open - self._transact(_open_studies) if self._open else set()


def rows_of(connection: sa.Connection, studies: Collection[str]) -> dict[str, StudyRows]:
    """All rows that belong to each of `studies`, of one moment, as values that JSON knows.

    It must be the first in its transaction.
    """
    show_one_moment(connection)
    names = [table.name for table in (*BY_STUDY, *BY_WORKITEM)]
    found: dict[str, StudyRows] = {study_uid: {name: [] for name in names} for study_uid in studies}
    for table in BY_STUDY:
        query = sa.select(table).where(table.c.study_uid.in_(studies))
        for row in connection.execute(query.order_by(*table.primary_key)).mappings():
            found[row["study_uid"]][table.name].append(dict(row))
    study_of = {
        item["id"]: study_uid for study_uid, rows in found.items() for item in rows["workitem"]
    }
    for table in BY_WORKITEM:
        query = sa.select(table).where(table.c.workitem_id.in_(study_of))
        for row in connection.execute(query.order_by(*table.primary_key)).mappings():
            found[study_of[row["workitem_id"]]][table.name].append(dict(row))
    return found


def show_one_moment(connection: sa.Connection) -> None:
    """Let all queries of a transaction that begins see what the first one sees.

    Python's driver of SQLite begins none by itself for a query, and PostgreSQL shows what others
    commit meanwhile (its manual, 13.2.1, read committed).
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def newest_event(connection: sa.Connection, study_uid: str = "") -> int:
    """Number of the last line in the trace of a study, or of all; 0 if there is none."""
    query = sa.select(sa.func.max(tables.event.c.id))
    if study_uid:
        query = query.where(tables.event.c.study_uid == study_uid)
    return connection.execute(query).scalar() or 0


def _columns() -> dict[str, list[str]]:
    """The names of the columns that a copy holds, by table."""
    return {table.name: [column.name for column in table.c] for table in (*BY_STUDY, *BY_WORKITEM)}


def _open_studies(connection: sa.Connection) -> set[str]:
    study = tables.study.c
    removed = sa.select(tables.removal.c.study_uid)
    query = sa.select(study.study_uid).where(study.settled_images == 0)
    return set(connection.execute(query.where(study.study_uid.not_in(removed))).scalars())


def _cursors(connection: sa.Connection) -> dict[str, str]:
    source = tables.source.c
    found = connection.execute(sa.select(source.name, source.cursor).order_by(source.name))
    return {row.name: row.cursor for row in found}


def _pauses(connection: sa.Connection) -> list[Row]:
    pause = tables.pause
    found = connection.execute(sa.select(pause).order_by(*pause.primary_key)).mappings()
    return [dict(row) for row in found]


def _portions(studies: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(studies), MOST_STUDIES):
        yield studies[start : start + MOST_STUDIES]
