"""What is said to somebody who misses a result: the cause, one sentence, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Why there is no result where somebody looks for it; what most needs a person comes first."""

    MISFILED = "misfiled"  # a destination shows it under another patient
    WHOSE = "whose it is"  # held until a person has decided whose the images are
    NOT_TAKEN_IN = "image not taken in"  # images came, and were not accepted as they are
    GAPS = "slices missing"  # held: slices are missing inside a series
    SHORT = "shorter than announced"  # held: fewer images came than a series is to have
    UNJUDGED = "cannot be judged"  # a rule could not look at it: its module, the machine, an error
    PARKED = "parked"  # a destination refuses it
    NOT_SHOWN = "not shown"  # a destination took it and never showed it
    NO_LONGER_SHOWN = "no longer shown"  # an archive that has shown it does not have it now
    FAILED = "failed"  # the module ended without a result
    NEVER_ARRIVED = "never arrived"  # nothing of it is known here
    WAITING = "waiting for images"  # more may still come
    WORKLIST = "asked by a worklist"  # a step asks for it, and no analysis has begun
    QUEUED = "waiting to be analysed"
    RUNNING = "running"
    DELIVERING = "on its way"  # not every destination has shown it yet
    NOWHERE = "sent nowhere"  # there is a result, and no destination is to have it
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    MODULE_REFUSED = "refused by the module"  # the images are not such as it can judge
    SHOWN = "shown"  # all is well
    REMOVED = "removed"  # nothing was found to analyse, and the images are gone
    NOT_APPLICABLE = "not applicable"  # the series that is meant does not fit the module
    NO_RULE = "no rule"  # no series is meant by any rule
    SUPERSEDED = "superseded"  # another run has replaced it

    @property
    def rank(self) -> int:
        """The less, the more it needs a person."""
        return list(Cause).index(self)

    @property
    def is_well(self) -> bool:
        """Whether the result is where it belongs."""
        return self is Cause.SHOWN


class CureKind(StrEnum):
    """What a person can do about it."""

    SEND = "send the images"
    FETCH = "fetch the images"
    BEGIN = "begin now"
    RETRY = "run again"
    ANALYSE = "analyse what is here"
    RELEASE = "release"
    RESUME = "resume"
    RESEND = "send again"
    SEND_ON = "send elsewhere"
    DECIDE = "decide"
    CONFIGURE = "change the settings"
    START = "start Hilum"
    LOOK = "look there"  # outside of Hilum: in the archive, at the sender


@dataclass(frozen=True)
class Cure:
    """One thing that a person can do; `command` does it, "" where no command can."""

    kind: CureKind
    text: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.text}: `{self.command}`" if self.command else self.text


@dataclass(frozen=True)
class Explanation:
    """The answer to "why not?". Nothing of it holds patient data.

    `since` is in s since 1970, None where nobody knows. `study_uid`, `workitem` and `module` are ""
    where it is about none. `shown_in` are the destinations that show the result or answer for it,
    and since when; `accepted_by` those that took it, and cannot prove that they show it. `others`
    say what else is to be said of the same question, each without any of its own.
    """

    cause: Cause
    sentence: str
    since: float | None = None
    cures: tuple[Cure, ...] = ()
    evidence: tuple[str, ...] = ()
    study_uid: str = ""
    workitem: str = ""
    module: str = ""
    shown_in: Mapping[str, float] = field(default_factory=dict)
    accepted_by: Mapping[str, float] = field(default_factory=dict)
    others: tuple["Explanation", ...] = ()
