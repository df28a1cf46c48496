"""Statistics: what came and what became of it, day by day and module by module."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from statistics import median

from hilum.records import Records
from hilum.records.flowing import ShownResult, TroubledWorkitem

DAY = 86400.0


@dataclass(frozen=True)
class DayOfWork:
    """One day: studies that came, results that were shown, and how long these took (s).

    The times are those from the last image of a study to the shown result: half of them, and nine
    of ten, are not longer. They are None where no result was shown.
    """

    day: date
    studies: int
    results: int
    median_seconds: float | None
    ninety_percent_seconds: float | None
    troubles: int


@dataclass(frozen=True)
class Statistics:
    """The days from the first to the last, and why there were no results, by module."""

    days: tuple[DayOfWork, ...]
    causes: tuple[tuple[str, str, int], ...]  # module, state, how many


def statistics_of(records: Records, days: int, now: float | None = None) -> Statistics:
    """Statistics of the last `days`, today included, in the time zone of this machine."""
    today = date.fromtimestamp(time.time() if now is None else now)
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day).timestamp()
    studies = Counter(map(date.fromtimestamp, records.flow.first_images(since)))
    arrivals: dict[date, list[ShownResult]] = defaultdict(list)
    for arrival in records.flow.arrivals(since):
        arrivals[date.fromtimestamp(arrival.shown_at)].append(arrival)
    troubles = records.flow.troubles(since)
    on_day = Counter(date.fromtimestamp(trouble.at) for trouble in troubles)
    shown = (first + timedelta(days=number) for number in range(days))
    return Statistics(
        tuple(_day(day, studies[day], arrivals[day], on_day[day]) for day in shown),
        _causes(troubles),
    )


def _day(day: date, studies: int, arrivals: Sequence[ShownResult], troubles: int) -> DayOfWork:
    waited = sorted(max(0.0, one.shown_at - one.complete_at) for one in arrivals)
    return DayOfWork(
        day,
        studies,
        len(waited),
        median(waited) if waited else None,
        waited[ceil(0.9 * len(waited)) - 1] if waited else None,
        troubles,
    )


def _causes(troubles: Iterable[TroubledWorkitem]) -> tuple[tuple[str, str, int], ...]:
    counts = Counter((trouble.module, trouble.state.value) for trouble in troubles)
    return tuple((module, state, number) for (module, state), number in counts.most_common())
