"""What is wrong, and whom it is told."""

from dataclasses import dataclass

from hilum.severity import AlarmChange, Severity


@dataclass(frozen=True)
class BegunAlarm:
    """Since when something is wrong, and what was said of it when it was last told."""

    name: str
    severity: Severity
    since: float
    told_at: float
    text: str
    cure: str
    studies: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """That an alarm has begun, still stands or has ended, as a notifier is to tell it.

    It is part of a `message` from the first attempt on, and "" before: what is told again is the
    same message.
    """

    notifier: str
    id: str
    alarm: str
    severity: Severity
    change: AlarmChange
    at: float
    since: float
    text: str
    cure: str
    studies: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True)
class NotifierStanding:
    """How a notifier stands: when it last told something, and since when it fails."""

    name: str
    sent_at: float = 0.0
    attempts: int = 0
    next_attempt: float = 0.0
    failing_since: float | None = None
    problem: str = ""
