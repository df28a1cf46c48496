"""How the parts around Hilum stand, and its own processes."""

from dataclasses import dataclass

from hilum.records.states import DestinationState, PausedKind, SourceState, WorklistState


@dataclass(frozen=True)
class DestinationStanding:
    """Whether a destination answers, since when, and why not."""

    name: str
    state: DestinationState
    since: float
    problem: str = ""
    lag_seconds: float = 0.0  # the longest time from taking a result to showing it


@dataclass(frozen=True)
class WorklistStanding:
    """Whether a worklist can be worked from, since when, and why not."""

    name: str
    state: WorklistState
    since: float
    problem: str = ""


@dataclass(frozen=True)
class SourceStanding:
    """How the watch of an archive stands; the cursor is "" before the first use."""

    name: str
    state: SourceState
    since: float
    cursor: str = ""
    problem: str = ""  # the last one, in plain words
    problem_at: float | None = None
    seen_at: float | None = None  # last answer, give or take a few seconds
    behind: int = 0  # of what the archive lists
    fetched: int = 0  # instances, ever
    fetched_at: float | None = None


@dataclass(frozen=True)
class NotedPause:
    """A person has paused a destination, a source, a worklist or a module.

    `ended_at` is None while it lasts. People who see no patients read the reason.
    """

    kind: PausedKind
    name: str
    since: float
    person: str
    reason: str
    ended_at: float | None = None


@dataclass(frozen=True)
class Executor:
    """A process that works for the engine; `started` is the kernel's start time of its pid."""

    id: str
    role: str
    host: str
    pid: int
    started: str
    beat_at: float
