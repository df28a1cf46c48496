"""What a destination answers: to what it was sent, and when it is asked what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hilum.results import Result

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

WHOSE = (  # the keys of a query that asks whose a study is
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
)


class Acceptance(StrEnum):
    """What became of an object that was handed over."""

    TAKEN = "taken"  # with or without a warning; from now on it is only asked for
    LATER = "later"  # not taken, and the same sending may succeed later
    NEVER = "never"  # not taken, and a person has to do something first
    NEEDLESS = "needless"  # not taken, and nothing is left to do there
    UNKNOWN = "unknown"  # handed over, and no answer came


@dataclass(frozen=True)
class Answer:
    """The answer to one object that was handed over.

    `status` is that of C-STORE, or the failure reason of STOW-RS (both PS3.4 B.2.3), None where
    there was none. `text` says what it means and what to do, and holds no patient data. `comment`
    is what the archive itself said; it may hold patient data, so only an owner-only file keeps it.
    What may be taken later is sent `most_times` at most, 0 for no limit; then it is never.
    """

    result: Result
    acceptance: Acceptance
    status: int | None = None
    text: str = ""
    comment: str = ""
    most_times: int = 0


class Evidence(StrEnum):
    """What the answer of a destination is worth."""

    READ_BACK = "read back"  # it shows each object under its own UID
    COUNTED = "counted"  # it says how many objects a series has, and no more
    NONE = "none"  # it can be asked, and says nothing about objects


@dataclass(frozen=True)
class Shown:
    """What a destination says of some results when it is asked: those it does not show."""

    missing: tuple[Result, ...]
    evidence: Evidence = Evidence.READ_BACK


@dataclass(frozen=True)
class Filed:
    """A study as a destination files it under one patient; there may be several of one UID.

    `stated` is what it states of `WHOSE`. These are patient data; nothing records them. `series`
    are the Series Instance UIDs that it has under this patient, none where it does not tell.
    """

    stated: "Dataset"
    series: frozenset[str]


@dataclass(frozen=True)
class Checked:
    """One thing that `hilum destinations` has tried: what, whether it went well, and in words."""

    what: str
    good: bool
    text: str


@dataclass(frozen=True)
class Commitment:
    """The answer to a request for storage commitment (PS3.4 J.3.3), for the objects it names.

    `kept` are those that it commits itself to, and does not say to have failed as well.
    """

    transaction_uid: str
    committed: tuple[str, ...]  # SOP Instance UIDs
    failed: Mapping[str, int]  # SOP Instance UID: Failure Reason (PS3.3 C.14.1.1)

    @property
    def kept(self) -> frozenset[str]:
        return frozenset(self.committed) - self.failed.keys()
