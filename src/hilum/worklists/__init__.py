"""Worklists whose steps Hilum performs: Unified Procedure Steps (PS3.4 annex CC).

Each kind is one file beside this one, or in another package: its settings and its class, found by
an entry point of the group `hilum.worklists` (see `hilum.kinds`). What becomes of a step is the
same for all of them and stands in `hilum.performing`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol

from hilum.config.kinds import WorklistSettings
from hilum.errors import SourceError
from hilum.kinds import WORKLISTS


class ProcedureStepState(StrEnum):
    """How a worklist calls the state of a step (0074,1000); the last two are final."""

    SCHEDULED = "SCHEDULED"  # whoever is able may claim it
    IN_PROGRESS = "IN PROGRESS"  # a performer has claimed it
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class StepAnswer(Enum):
    """What a worklist answers to a performer."""

    DONE = "it is as it was asked for, now or since before"
    CONFLICT = "the step is in another state, is another performer's, or lacks something"
    GONE = "the worklist does not know the step, or no longer"


@dataclass(frozen=True)
class OfferedStep:
    """A step that nobody has claimed. `code` is value, scheme and meaning of what is asked for.

    `study_uid` is that of its one input; "" where it has none, or several.
    """

    uid: str
    code: tuple[str, str, str]
    study_uid: str
    is_ready: bool  # whether the worklist says that all input is there

    @property
    def key(self) -> str:
        """Its code as the settings write it."""
        return "^".join(self.code[:2])


@dataclass(frozen=True)
class OutputSeries:
    """A series of results, and where it can be retrieved: by AE title or address, "" if not so.

    `instances` are pairs of SOP Class UID and SOP Instance UID.
    """

    study_uid: str
    series_uid: str
    instances: tuple[tuple[str, str], ...]
    ae_title: str = ""
    address: str = ""


@dataclass(frozen=True)
class PerformedStep:
    """What was performed, from when to when (s since 1970), where, and what came of it."""

    code: tuple[str, str, str]
    station: str
    began_at: float
    ended_at: float
    outputs: Sequence[OutputSeries] = ()


@dataclass(frozen=True)
class StepStanding:
    """How a step stands, and whether it says itself that somebody wants it canceled.

    `asked` is what it asks for by now, None where the worklist does not say: whoever plans steps
    may change one until it is claimed.
    """

    state: ProcedureStepState
    is_unwanted: bool = False
    asked: OfferedStep | None = None


class Worklist(Protocol):
    """What a kind of worklist does, opened with the settings of its own class `settings`.

    Raises `SourceDelayed` (asked again) or `SourceRefused` (a person must act). What it is told may
    be told again after a crash: then it is `DONE`, or a `CONFLICT` that `standing` explains.
    """

    def describe(self) -> str:
        """What answers there, in one line for a person."""

    def offered(self) -> list[OfferedStep]:
        """Every step that nobody has claimed."""

    def standing(self, uid: str) -> StepStanding | None:
        """How a step stands; None if the worklist does not know it."""

    def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
        """Have it IN PROGRESS, ours by that Transaction UID."""

    def report(self, uid: str, transaction_uid: str, percent: int, text: str) -> StepAnswer:
        """Say how far a step of ours is."""

    def complete(self, uid: str, transaction_uid: str, performed: PerformedStep) -> StepAnswer:
        """Say what came of it, then have it COMPLETED."""

    def cancel(
        self, uid: str, transaction_uid: str, performed: PerformedStep, reason: str
    ) -> StepAnswer:
        """Say why nothing came of it, then have it CANCELED."""

    def subscribe(self, uid: str) -> None:
        """Have what happens to a step told by `cancel_requests`, where the worklist offers that."""

    def cancel_requests(self) -> Iterator[str]:
        """The UIDs of steps that somebody wants canceled, as it is told; "" now and then.

        Called from a thread of its own, again after any trouble. It ends where nothing is offered.
        """

    def close(self) -> None:
        """End the connections."""


def answer_of(settings: WorklistSettings) -> tuple[bool, str]:
    """Whether the worklist answers as it should, and what, or why not, in one line."""
    worklist = open_worklist(settings)
    try:
        return True, worklist.describe()
    except SourceError as error:
        return False, str(error)
    finally:
        worklist.close()


def open_worklist(settings: WorklistSettings) -> Worklist:
    """The worklist that `settings` describe."""
    worklist: Worklist = WORKLISTS.load(settings.kind)(settings)
    return worklist
