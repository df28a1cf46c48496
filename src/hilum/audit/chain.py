"""Whether the audit trail is as it was written: nothing changed, removed, inserted or moved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hilum.audit.entry import AuditedAct, ChainHead, Value, seal

MOST_TOLD = 20  # faults; one change is told once, but a trail may be broken in many places


@dataclass(frozen=True)
class SealedRow:
    """An entry as the file has it, which may be anything."""

    number: int
    content: tuple[Value, ...]
    act: str
    object: str
    reason: str
    previous: str
    hash: str


@dataclass(frozen=True)
class ChainReport:
    """What was found: how many entries there are, the last of them, and each fault in words."""

    entries: int
    head: ChainHead | None
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def verify(rows: Iterable[SealedRow], known: ChainHead | None = None) -> ChainReport:
    """Compare every entry with its hash and with the one before; `rows` come by their number.

    `known` is a head that was exported once: the trail has to hold it.
    """
    walk = _Walk(known)
    faults: list[str] = []
    for row in rows:
        faults += walk.pass_over(row)
    faults += walk.end()
    if len(faults) > MOST_TOLD:
        faults = [*faults[:MOST_TOLD], f"and {len(faults) - MOST_TOLD} more"]
    head = ChainHead(walk.last.number, walk.last.hash) if walk.last else None
    return ChainReport(walk.count, head, tuple(faults))


class _Walk:
    """Goes from entry to entry."""

    def __init__(self, known: ChainHead | None) -> None:
        self.count = 0
        self.last: SealedRow | None = None
        self._known = known
        self._first: SealedRow | None = None
        self._purges: set[tuple[str, str]] = set()
        self._has_met_known = False

    def pass_over(self, row: SealedRow) -> Iterator[str]:
        if self.last is None:
            self._first = row
        elif row.number != self.last.number + 1:
            yield f"between the entries {self.last.number} and {row.number} some are missing"
        elif row.previous != self.last.hash:
            yield f"entry {row.number} does not follow entry {self.last.number}: one was exchanged"
        if seal(row.content, row.number, row.previous) != row.hash:
            yield f"entry {row.number} was changed"
        if row.act == AuditedAct.AUDIT_PURGED:
            self._purges.add((row.object, row.reason))
        if self._known and row.number == self._known.number:
            self._has_met_known = True
            if row.hash != self._known.hash:
                yield f"entry {row.number} is not the one that was exported as the head"
        self.last = row
        self.count += 1

    def end(self) -> Iterator[str]:
        first, last = self._first, self.last
        if first and not self._begins_well(first):
            yield f"before entry {first.number} some are missing, and no purge accounts for them"
        if self._known and not self._has_met_known:
            number = self._known.number
            if not last or last.number < number:
                yield f"the end is cut off: entry {number} was there when it was exported"
            elif not self._is_purged(number):
                yield f"entry {number}, which was exported as the head, is missing"

    def _begins_well(self, first: SealedRow) -> bool:
        if first.number == 1:
            return first.previous == ""
        return (str(first.number - 1), first.previous) in self._purges

    def _is_purged(self, number: int) -> bool:
        return any(number <= int(upto) for upto, _ in self._purges if upto.isdecimal())
