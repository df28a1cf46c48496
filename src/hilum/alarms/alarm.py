"""What an alarm is, and what one is found from."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hilum.config.site import Site
from hilum.records import Records
from hilum.records.states import PausedKind
from hilum.severity import Severity

MOST_NAMED = 5  # studies that a cure names
HEADLINE_ENDS = re.compile(r"[:;] | \(")
EACH_STUDY = re.compile(r"`([^`]*)\bSTUDY\b([^`]*)`")


@dataclass(frozen=True)
class Alarm:
    """What is wrong now, and what a person can do about it.

    `text` and `cure` hold nothing of a patient, and no study: they may be sent anywhere. Where it
    is about studies, their UIDs stand in `studies`, and the word STUDY in a command of the cure
    stands for each of them. `since` (s since 1970) is None as long as nobody has noted it.
    """

    name: str
    severity: Severity
    text: str
    cure: str
    since: float | None = None
    studies: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What is wrong, without what follows from it."""
        return HEADLINE_ENDS.split(self.text, maxsplit=1)[0]

    @property
    def cure_here(self) -> str:
        """The cure for whoever may see studies: its command names the first of them."""
        return naming(self.cure, self.studies)


class Named(Protocol):
    """Settings of what a person may pause."""

    @property
    def name(self) -> str:
        """What it is called by."""


Settings = TypeVar("Settings", bound=Named)


@dataclass(frozen=True)
class Facts:
    """What alarms are found from; `now` is in s since 1970."""

    site: Site
    records: Records
    now: float

    def unpaused(
        self, kind: PausedKind, settings: Iterable[Settings]
    ) -> Iterator[tuple[Settings, float]]:
        """Those that nobody has paused, and when the last pause of each ended; 0 if none did.

        What is paused is an alarm of its own, and nobody asks it or tells it anything.
        """
        pauses = self.records.pauses
        paused, ended = pauses.of(kind), pauses.ended(kind)
        for one in settings:
            if one.name not in paused:
                yield one, ended.get(one.name, 0.0)


def naming(cure: str, studies: Iterable[str]) -> str:
    """`cure` with its command for a STUDY written out for the first ones of `studies`."""
    uids = list(studies)
    if not uids:
        return cure
    named = ", ".join(rf"`\g<1>{uid}\g<2>`" for uid in uids[:MOST_NAMED])
    more = f" and {len(uids) - MOST_NAMED} more" if len(uids) > MOST_NAMED else ""
    return EACH_STUDY.sub(named + more, cure)
