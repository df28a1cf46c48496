"""What has changed since earlier exams, as Hilum tells it to whoever names another module."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hilum_module.findings import Finding, Measurement


@dataclass(frozen=True)
class Earlier:
    """A measurement in an earlier exam; `day` is the date of that study."""

    day: date
    value: float
    uncertainty: float
    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, eq=False)
class Change(Finding):
    """A followed measurement beside the same one in earlier exams, the oldest first."""

    of: Measurement
    day: date
    earlier: tuple[Earlier, ...]
