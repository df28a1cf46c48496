"""Senders that the receiver rejects: not heard at all, or for lack of room."""

from collections.abc import Iterator, Sequence

from hilum.alarms.alarm import Alarm, Facts
from hilum.rejections import Rejection, RejectionKind
from hilum.severity import Severity
from hilum.wording import counted

NOT_HEARD = (
    RejectionKind.CALLED,
    RejectionKind.CALLER,
    RejectionKind.CERTIFICATE,
    RejectionKind.ADDRESS,
    RejectionKind.SYNTAX,
    RejectionKind.PROTOCOL,
)
NOT_HEARD_SECONDS = 3600.0  # how long after the last one an alarm stands
NO_ROOM_SECONDS = 120.0
SEE_STATUS = "`hilum status` lists what was rejected, why, and what to do about it"


def alarms(facts: Facts) -> Iterator[Alarm]:
    """What was rejected lately."""
    lately = facts.records.rejections.since(facts.now - NOT_HEARD_SECONDS)
    if not_heard := [row for row in lately if row.kind in NOT_HEARD]:
        text = f"{_senders(not_heard)} rejected within the last hour, {_last(not_heard)}"
        yield Alarm("refused", Severity.ERROR, text, SEE_STATUS)
    no_room = [row for row in lately if row.kind is RejectionKind.ROOM]
    if no_room := [row for row in no_room if row.last_at > facts.now - NO_ROOM_SECONDS]:
        text = f"{_senders(no_room)} rejected for lack of room, {_last(no_room)}"
        yield Alarm("room", Severity.ERROR, text, SEE_STATUS)


def _senders(rows: Sequence[Rejection]) -> str:
    count = len({(row.address, row.caller) for row in rows})
    return f"{counted(count, 'sender')} {'was' if count == 1 else 'were'}"


def _last(rows: Sequence[Rejection]) -> str:
    return f"the last one {rows[0].sender}: {rows[0].reason}"
