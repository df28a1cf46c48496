"""How things stand at this moment: what waits where, and how the last hour and day went."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from hilum.records import Records
from hilum.records.flowing import Backlog, ShownResult, TroubledWorkitem
from hilum.records.states import StudyState, WorkitemState

HOUR = 3600.0
BARS = {HOUR: 12, 24 * HOUR: 24}  # how many bars each chart has, by the time it covers (s)

Titles = tuple[str, str]  # of a chart: of many, and of one
STUDIES: Titles = ("studies", "study")
SHOWN: Titles = ("results shown", "result shown")
TROUBLES: Titles = ("failed or waiting for a person", "failed or waiting for a person")


@dataclass(frozen=True)
class FlowStep:
    """One step on the way to the archive, and the state of the studies that are at it.

    `waits_for_person` says whose turn it is.
    """

    name: str
    state: StudyState
    backlog: Backlog
    explanation: str
    waits_for_person: bool = False


@dataclass(frozen=True)
class Chart:
    """How many there were in each of equal parts of the last `seconds`, the latest last.

    `title` says of what, and `title_of_one` where it is a single one.
    """

    title: str
    title_of_one: str
    seconds: float
    bars: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many there were in all bars together."""
        return sum(self.bars)

    @property
    def in_words(self) -> str:
        """How many of what: "1 study"."""
        return f"{self.total} {self.title_of_one if self.total == 1 else self.title}"


@dataclass(frozen=True)
class Period:
    """The last hour or day: charts, and the usual time from last image to shown result (s)."""

    title: str
    charts: tuple[Chart, ...]
    median_seconds: float | None


@dataclass(frozen=True)
class NowView:
    """All of it; the steps stand in the order of the way."""

    steps: tuple[FlowStep, ...]
    periods: tuple[Period, ...]


def now_view(records: Records, now: float) -> NowView:
    """How things stand at `now` (s since 1970)."""
    flow = records.flow
    steps = (
        FlowStep(
            "assembling",
            StudyState.RECEIVING,
            flow.assembling(),
            "studies of which images may still come",
        ),
        FlowStep(
            "waiting",
            StudyState.SCHEDULED,
            flow.in_state(WorkitemState.SCHEDULED),
            "analyses that wait",
        ),
        FlowStep(
            "running",
            StudyState.RUNNING,
            flow.in_state(WorkitemState.RUNNING),
            "analyses under way",
        ),
        FlowStep(
            "delivering", StudyState.DELIVERING, flow.owed(), "results on their way, or asked for"
        ),
        FlowStep(
            "cannot be judged",
            StudyState.UNJUDGED,
            flow.unjudged(),
            "studies that a rule cannot look at",
            True,
        ),
        FlowStep(
            "held",
            StudyState.HELD,
            flow.in_state(WorkitemState.HELD),
            "studies that wait for a person",
            True,
        ),
        FlowStep(
            "parked", StudyState.PARKED, flow.parked(), "results that wait for a person", True
        ),
    )
    since = now - max(BARS)  # the longest period holds the others
    lately = _Lately(flow.first_images(since), flow.arrivals(since), flow.troubles(since))
    periods = (
        _period(lately, "Last hour", now, HOUR),
        _period(lately, "Last day", now, 24 * HOUR),
    )
    return NowView(steps, periods)


class _Lately(NamedTuple):
    """What came and what became of it: times of first images, shown results, and troubles."""

    first_images: Sequence[float]
    results: Sequence[ShownResult]
    troubles: Sequence[TroubledWorkitem]


def _period(lately: _Lately, title: str, now: float, seconds: float) -> Period:
    since = now - seconds
    results = [r for r in lately.results if r.complete_at >= since and r.shown_at >= since]
    bars = _bars_of(seconds, since)
    charts = (
        bars(STUDIES, (at for at in lately.first_images if at >= since)),
        bars(SHOWN, (result.shown_at for result in results)),
        bars(TROUBLES, (t.at for t in lately.troubles if t.at >= since)),
    )
    waited = [max(0.0, result.shown_at - result.complete_at) for result in results]
    return Period(title, charts, median(waited) if waited else None)


def _bars_of(seconds: float, since: float) -> Callable[[Titles, Iterable[float]], Chart]:
    number = BARS[seconds]

    def chart(titles: Titles, times: Iterable[float]) -> Chart:
        bars = [0] * number
        for at in times:
            bars[min(number - 1, max(0, int((at - since) / seconds * number)))] += 1
        return Chart(*titles, seconds, tuple(bars))

    return chart
