"""The refusals of the receiver on record: the same bounded list as in its memory."""

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from hilum.records import Records, tables
from hilum.rejections import Rejection, RejectionKind, Rejections
from hilum.wording import counted

NOT_HEARD = (
    RejectionKind.CALLED,
    RejectionKind.CALLER,
    RejectionKind.ADDRESS,
    RejectionKind.SYNTAX,
    RejectionKind.PROTOCOL,
)
NOT_HEARD_SECONDS = 3600.0  # how long after the last one an alarm stands
NO_ROOM_SECONDS = 120.0


def refusals(records: Records, since: float = 0.0) -> list[Rejection]:
    """The rows whose last refusal was after `since`, the latest first."""
    table = tables.refusal
    query = sa.select(table).where(table.c.last_at > since).order_by(table.c.last_at.desc())
    return [Rejection.read(row) for row in records.select(query)]


def note_refusals(records: Records, news: Sequence[Rejection]) -> None:
    """Count `news` in their rows."""
    if not news:
        return
    table = tables.refusal

    def note(connection: sa.Connection) -> None:
        known = [
            Rejection.read(dict(row)) for row in connection.execute(sa.select(table)).mappings()
        ]
        all_rows = Rejections(known)
        for refusal in news:
            all_rows.add(refusal)
        connection.execute(table.delete())
        connection.execute(table.insert(), [dataclasses.asdict(row) for row in all_rows])

    records.transact(note)


def alarms_of_refusals(records: Records, now: float) -> dict[str, str]:
    """Sentences for alarms, by name: senders that are not heard, and no room for them."""
    found = {}
    lately = refusals(records, since=now - NOT_HEARD_SECONDS)
    if not_heard := [row for row in lately if row.kind in NOT_HEARD]:
        last = not_heard[0]
        found["refused"] = (
            f"{_senders(not_heard)} refused within the last hour, the last one {last.sender}: "
            f"{last.reason}; `hilum status` lists them"
        )
    no_room = [row for row in lately if row.kind is RejectionKind.ROOM]
    if no_room := [row for row in no_room if row.last_at > now - NO_ROOM_SECONDS]:
        last = no_room[0]
        found["room"] = (
            f"{_senders(no_room)} turned away for lack of room, the last one {last.sender}: "
            f"{last.reason}"
        )
    return found


def _senders(rows: Sequence[Rejection]) -> str:
    count = len({(row.address, row.caller) for row in rows})
    return f"{counted(count, 'sender')} {'was' if count == 1 else 'were'}"
