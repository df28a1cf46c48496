"""What the analyses of one module came to: how many, how long, why not, what each version found."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles

from hilum.records import Records
from hilum.records.analyses import AnalysisOutline
from hilum.records.views.now import Chart
from hilum.summary.numbers import MeasurementSummary

DAY = 86400.0
DAYS = 30  # that are looked at
MOST_ANALYSES = 3000  # of them, the newest
MOST_CAUSES = 10
MOST_MEASUREMENTS = 6
BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0)  # s


@dataclass(frozen=True)
class TimeBin:
    """How many analyses took less than `below` s, and not less than the bin before."""

    below: float
    count: int


@dataclass(frozen=True)
class Spread:
    """How the values of one measurement lie: the least, quartiles, the greatest; in `unit`."""

    name: str
    unit: str
    count: int
    least: float
    low: float
    middle: float
    high: float
    greatest: float


@dataclass(frozen=True)
class VersionHistory:
    """What one version with one set of weights did; times are in s since 1970."""

    version: str
    weights_sha256: str
    analyses: int
    first_at: float
    last_at: float
    refused: int
    failed: int
    median_seconds: float | None
    spreads: tuple[Spread, ...]


@dataclass(frozen=True)
class ModuleHistory:
    """The last days of one module. The newest version comes first."""

    analyses: int
    is_all: bool  # or only the newest of them were looked at
    by_day: Chart
    times: tuple[TimeBin, ...]
    refusals: tuple[tuple[str, int], ...]  # the sentence, how many; the most common first
    failures: tuple[AnalysisOutline, ...]  # the newest first
    versions: tuple[VersionHistory, ...]

    @property
    def measurements(self) -> tuple[str, ...]:
        """The names of what any version measured."""
        return tuple(dict.fromkeys(s.name for version in self.versions for s in version.spreads))


def module_history(records: Records, module: str, now: float) -> ModuleHistory:
    """The last days of `module` at `now` (s since 1970)."""
    since = now - DAYS * DAY
    found = records.analyses.of_module(module, since, MOST_ANALYSES)
    refusals = Counter(one.refusal for one in found if one.refusal)
    return ModuleHistory(
        analyses=len(found),
        is_all=len(found) < MOST_ANALYSES,
        by_day=_by_day(found, since),
        times=tuple(_times([one.seconds for one in found if one.seconds is not None])),
        refusals=tuple(refusals.most_common(MOST_CAUSES)),
        failures=tuple(one for one in found if one.failure is not None)[:MOST_CAUSES],
        versions=tuple(_versions(found)),
    )


def _by_day(found: Sequence[AnalysisOutline], since: float) -> Chart:
    bars = [0] * DAYS
    for one in found:
        bars[min(DAYS - 1, max(0, int((one.created - since) / DAY)))] += 1
    return Chart("analyses", "analysis", DAYS * DAY, tuple(bars))


def _times(seconds: Sequence[float]) -> list[TimeBin]:
    """Bins from the shortest to the longest time; none if nothing ended."""
    edges = (0.0, *BOUNDS, float("inf"))
    bins = [
        TimeBin(high, sum(low <= one < high for one in seconds)) for low, high in pairwise(edges)
    ]
    used = [number for number, one in enumerate(bins) if one.count]
    return bins[used[0] : used[-1] + 1] if used else []


def _versions(found: Iterable[AnalysisOutline]) -> list[VersionHistory]:
    groups: dict[tuple[str, str], list[AnalysisOutline]] = {}
    for one in found:
        groups.setdefault((one.version, one.weights_sha256), []).append(one)
    return [_version(*key, group) for key, group in groups.items()]


def _version(version: str, weights: str, group: Sequence[AnalysisOutline]) -> VersionHistory:
    seconds = [one.seconds for one in group if one.seconds is not None]
    return VersionHistory(
        version=version,
        weights_sha256=weights,
        analyses=len(group),
        first_at=group[-1].created,
        last_at=group[0].created,
        refused=sum(one.refusal is not None for one in group),
        failed=sum(one.failure is not None for one in group),
        median_seconds=median(seconds) if seconds else None,
        spreads=tuple(_spreads(group)),
    )


def _spreads(group: Iterable[AnalysisOutline]) -> list[Spread]:
    """Of what is followed over the years; of everything where nothing is."""
    measured = [
        finding
        for one in group
        for finding in one.findings or ()
        if isinstance(finding, MeasurementSummary)
    ]
    followed = [one for one in measured if one.followed]
    values: dict[tuple[str, str], list[float]] = {}
    for one in followed or measured:
        values.setdefault((one.subject, one.unit), []).append(one.value)
    return [_spread(*key, of) for key, of in sorted(values.items())[:MOST_MEASUREMENTS]]


def _spread(name: str, unit: str, values: Sequence[float]) -> Spread:
    one = values[0]
    parts = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [one, one, one]
    low, middle, high = parts
    return Spread(name, unit, len(values), min(values), low, middle, high, max(values))
