"""How far readers agree with each module and version: counts, shares, and the course by week."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hilum.decision import AssessmentDecision
from hilum.records import Records
from hilum.records.assessed import last_of_each, standing_with
from hilum.records.assessments import AssessedResult, ResultVersion
from hilum.records.states import AssessmentStanding

DAY, WEEK = 86400.0, 7 * 86400.0  # s
Z = 1.959964  # of the normal distribution, for 95 %
SAID = tuple(one for one in AssessmentStanding if one is not AssessmentStanding.NOT_ASSESSED)
MOST_REJECTIONS = 50


@dataclass(frozen=True)
class Share:
    """`count` of `of`. With 95 % confidence the true share is between `low` and `high`.

    That is the score interval of Wilson (J Am Stat Assoc 1927;22:209), which holds for few, too. It
    counts as if the results had been chosen at random.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def low(self) -> float:
        """The lower end of the interval, from 0 to 1."""
        return self._bound(-1)

    @property
    def high(self) -> float:
        """The upper end of the interval, from 0 to 1."""
        return self._bound(1)

    def _bound(self, side: int) -> float:
        if not self.of:
            return 0.0 if side < 0 else 1.0
        share, square = self.count / self.of, Z * Z / self.of
        spread = Z * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of))
        bound = (share + square / 2 + side * spread) / (1 + square)
        return min(1.0, max(0.0, bound))


@dataclass(frozen=True)
class ModuleAgreement:
    """What readers say of one version of a module; a result counts once, however many read it.

    `shares` are of the assessed results. `unanimous` is of those that several readers assessed.
    `weeks` says how many results stand how, by the week in which they were made, the latest last.
    """

    version: ResultVersion
    assessed: Share
    shares: dict[AssessmentStanding, Share]
    unanimous: Share
    weeks: tuple[dict[AssessmentStanding, int], ...]


@dataclass(frozen=True)
class RejectedResult:
    """Why a reader rejects a result: free text, for those who see patients."""

    at: float
    version: ResultVersion
    address: str  # of the study
    reason: str


@dataclass(frozen=True)
class Agreement:
    """Every version of every module that gave results, and the latest rejections."""

    modules: tuple[ModuleAgreement, ...]
    rejected: tuple[RejectedResult, ...]


def agreement_of(records: Records, days: int, now: float | None = None) -> Agreement:
    """What readers say of the results that were made in the last `days`, today included."""
    now = time.time() if now is None else now
    first = date.fromtimestamp(now) - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day).timestamp()
    results = Counter(records.assessments.results_since(since))
    assessed = records.assessments.assessed_since(since)
    of_version: dict[ResultVersion, list[AssessedResult]] = {one: [] for one in results}
    for one in assessed:
        of_version.setdefault(one.version, []).append(one)
    until, weeks = since + days * DAY, math.ceil(days / 7)  # the latest week is a whole one
    modules = tuple(
        _module(version, max(results[version], len(read)), read, until, weeks)
        for version, read in sorted(of_version.items(), key=lambda one: one[0])
    )
    return Agreement(modules, _rejected(records, assessed))


def _module(
    version: ResultVersion,
    results: int,
    read: Sequence[AssessedResult],
    until: float,
    weeks: int,
) -> ModuleAgreement:
    standings = [standing_with(one.said) for one in read]
    counts = Counter(standings)
    courses: list[Counter[AssessmentStanding]] = [Counter() for _ in range(weeks)]
    for one, standing in zip(read, standings, strict=True):
        courses[-1 - min(weeks - 1, int(max(0.0, until - one.created) / WEEK))][standing] += 1
    several = [
        standing
        for one, standing in zip(read, standings, strict=True)
        if len(last_of_each(one.said)) > 1
    ]
    agreed = sum(standing is not AssessmentStanding.DISAGREED for standing in several)
    return ModuleAgreement(
        version,
        Share(len(read), results),
        {standing: Share(counts[standing], len(read)) for standing in SAID},
        Share(agreed, len(several)),
        tuple({standing: course[standing] for standing in SAID} for course in courses),
    )


def _rejected(records: Records, read: Iterable[AssessedResult]) -> tuple[RejectedResult, ...]:
    """The latest last words that reject a result."""
    said = [
        (word, one)
        for one in read
        for word in last_of_each(one.said)
        if word.decision is AssessmentDecision.REJECTED
    ]
    latest = sorted(said, key=lambda one: one[0].at, reverse=True)[:MOST_REJECTIONS]
    addresses = records.identifiers.addresses({one.study_uid for _, one in latest})
    return tuple(
        RejectedResult(word.at, one.version, addresses.get(one.study_uid, ""), word.reason)
        for word, one in latest
    )
