"""What the receiver rejected, why and how often: a list that stays short, whatever comes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from hilum.wording import printable

MOST_ROWS = 200
LONGEST_AE_TITLE = 16  # PS3.5 6.2
LONGEST_REASON = 300
SEE_QUARANTINE = "`hilum quarantine` lists it and says what to do"

RejectionKey = tuple["RejectionKind", str, str, str, str]


class RejectionKind(StrEnum):
    """What the receiver rejected."""

    CALLED = "called AE title"  # the association: it calls somebody else
    CALLER = "calling AE title"  # the association: this sender is not on the list
    CERTIFICATE = "certificate"  # the association: its certificate is not on the list
    ADDRESS = "address"  # the connection: this host is not on the list
    ROOM = "no room"  # connection or association: too many are open, or no memory is left
    SILENCE = "silence"  # the connection: no association request came
    PROTOCOL = "protocol"  # the connection: it does not keep to the DICOM protocol
    SYNTAX = "transfer syntax"  # images: no transfer syntax of their SOP class is accepted
    STORAGE = "storage"  # images: they could not be written (0xA700)
    CONTENT = "content"  # images: quarantined, and no corrections


@dataclass(frozen=True)
class Rejection:
    """One row: the rejections of one sender for one reason. Times are in seconds since the epoch.

    `caller` and `called` are the AE titles of the association request, "" before there was one;
    `reason` ends with the cure.
    """

    kind: RejectionKind
    address: str
    caller: str
    called: str
    reason: str
    first_at: float
    last_at: float
    count: int = 1

    @classmethod
    def at(
        cls, now: float, kind: RejectionKind, address: str, caller: str, called: str, reason: str
    ) -> "Rejection":
        """One rejection at time `now`. What the sender wrote is shortened and made printable."""
        caller, called = (_shortened(title, LONGEST_AE_TITLE) for title in (caller, called))
        return cls(kind, address, caller, called, _shortened(reason, LONGEST_REASON), now, now)

    @property
    def key(self) -> RejectionKey:
        """Two rejections with the same key are one row."""
        return self.kind, self.address, self.caller, self.called, self.reason

    @property
    def sender(self) -> str:
        """The sender, as a person reads it."""
        return f"{self.caller} ({self.address})" if self.caller else self.address

    def and_then(self, later: "Rejection") -> "Rejection":
        """This row with the rejections of `later`, which has the same key."""
        return replace(
            later,
            first_at=min(self.first_at, later.first_at),
            last_at=max(self.last_at, later.last_at),
            count=self.count + later.count,
        )


class Rejections:
    """At most `MOST_ROWS` rows. A new one replaces the oldest row of the host with most rows.

    So a host that calls under ever new AE titles pushes out its own rows, not those of others.
    """

    def __init__(self, rows: Iterable[Rejection] = ()) -> None:
        self._rows = {row.key: row for row in rows}

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rejection: Rejection) -> None:
        """Count `rejection` in its row."""
        known = self._rows.get(rejection.key)
        self._rows[rejection.key] = known.and_then(rejection) if known else rejection
        if len(self._rows) > MOST_ROWS:
            (address, _), *_ = Counter(row.address for row in self).most_common(1)
            oldest = min((r for r in self if r.address == address), key=lambda r: r.last_at)
            del self._rows[oldest.key]


def _shortened(text: str, longest: int) -> str:
    return printable(text.strip()[:longest], "?")
