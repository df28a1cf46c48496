"""What the process that reads an upload tells the console: one line of JSON a message.

The console believes none of it more than that: what is not one of these messages ends the upload.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

LONGEST = 300  # characters of a reason
LONGEST_PROBLEM = 2000  # with its cure
MOST_REASONS = 100  # different ones of one upload
OTHER_REASONS = "for other reasons"

Count = Annotated[int, Field(ge=0)]


class FileFate(StrEnum):
    """What became of a file of an upload."""

    ACCEPTED = "accepted"  # a new image, and durable
    HERE_ALREADY = "here already"  # the same image lies in the inbox
    QUARANTINED = "quarantined"  # kept apart, as what a sender sends would be
    LEFT_OUT = "left out"  # no image, as much of what is on a CD
    REFUSED = "refused"  # it could not be read


@dataclass(frozen=True)
class FateCount:
    """So many files had the same fate, for the same reason."""

    fate: FileFate
    reason: Annotated[str, Field(max_length=LONGEST)]
    files: Count


@dataclass(frozen=True)
class NewStudy:
    """An image of a study is about to be stored, the first one of this upload.

    It waits for an answer. `is_here` says that other images of the study lie in the inbox.
    """

    study_uid: Annotated[str, Field(max_length=64)]
    patient_id: Annotated[str, Field(max_length=64)]
    is_here: bool
    kind: Literal["new study"] = "new study"


@dataclass(frozen=True)
class Told:
    """How far it is: files by their fates, bytes that were unpacked.

    `is_idle` says that it has done all it was given. `problem` says why it has stopped, or is "".
    """

    fates: Annotated[tuple[FateCount, ...], Field(max_length=MOST_REASONS + len(FileFate))] = ()
    bytes_read: Count = 0
    is_idle: bool = False
    problem: Annotated[str, Field(max_length=LONGEST_PROBLEM)] = ""
    kind: Literal["told"] = "told"


Message = NewStudy | Told
MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[NewStudy | Told, Field(discriminator="kind")])


@dataclass
class Fates:
    """The files so far, counted."""

    counts: Counter[tuple[FileFate, str]] = field(default_factory=Counter)

    def add(self, fate: FileFate, reason: str = "") -> None:
        """Count one file."""
        key = (fate, reason[:LONGEST])
        if key not in self.counts and len(self.counts) >= MOST_REASONS:
            key = (fate, OTHER_REASONS)
        self.counts[key] += 1

    @property
    def files(self) -> int:
        """How many there were."""
        return self.counts.total()

    def as_counts(self) -> tuple[FateCount, ...]:
        """What is told of them."""
        return tuple(FateCount(*key, files) for key, files in self.counts.items())


def of_fate(counts: Iterable[FateCount], fate: FileFate) -> int:
    """How many files had a fate, for whatever reason."""
    return sum(count.files for count in counts if count.fate is fate)
