"""How long analyses take, as a histogram. Each event of the records is read once."""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate, takewhile

from prometheus_client.core import HistogramMetricFamily

from hilum.records import Records

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)  # s
SETTLED_SECONDS = 5.0  # after which an event is counted: one with a lower number may come after it


@dataclass
class _Times:
    """Of one module: how many took longer than one bound and not longer than the next."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class AnalysisTimes:
    """Counts the analyses of a site that have ended since its records began."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()  # two may ask at once
        self._last = 0  # number of the last event that was counted
        self._times: dict[str, _Times] = {}

    def family(self, modules: Iterable[str], now: float) -> HistogramMetricFamily:
        """The histogram, also of `modules` without an analysis; `now` is in s since 1970."""
        text = "How long an analysis took, from the start of its module to its findings."
        family = HistogramMetricFamily("hilum_analysis_seconds", text, labels=["module"])
        with self._lock:
            self._count(now - SETTLED_SECONDS)
            for module in sorted({*modules, *self._times}):
                times = self._times.get(module, _Times())
                names = [*map(str, BOUNDS), "+Inf"]
                buckets = list(zip(names, map(float, accumulate(times.counts)), strict=True))
                family.add_metric([module], buckets, times.total)
        return family

    def _count(self, before: float) -> None:
        found = self._records.events.analyses_after(self._last)
        for one in takewhile(lambda one: one.ended_at < before, found):
            self._times.setdefault(one.module, _Times()).add(max(0.0, one.seconds))
            self._last = one.event
