"""Where images, steps and results come from and go to, and what was not taken in."""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.config.kinds import DestinationSettings, SourceSettings, WorklistSettings
from hilum.config.site import Site
from hilum.inbox import quarantined_in
from hilum.records import Records
from hilum.records.models.requests import WorklistStep
from hilum.records.models.standings import (
    DestinationStanding,
    NotedPause,
    SourceStanding,
    WorklistStanding,
)
from hilum.records.states import (
    ARRIVED,
    DeliveryState,
    DestinationState,
    PausedKind,
    SourceState,
    StepState,
    WorklistState,
)


@dataclass(frozen=True)
class DestinationView:
    """Where results go: whether it answers, since when, and what it still has to take."""

    name: str
    kind: str
    receives: str  # the variant
    state: DestinationState
    since: float | None
    problem: str
    deliveries: Mapping[DeliveryState, int]
    paused: NotedPause | None = None


@dataclass(frozen=True)
class SourceView:
    """An archive that is watched: whether it answers, since when, and how far the watch is."""

    name: str
    kind: str
    state: SourceState
    since: float | None = None
    problem: str = ""
    problem_at: float | None = None
    seen_at: float | None = None
    behind: int = 0
    fetched: int = 0
    fetched_at: float | None = None
    paused: NotedPause | None = None


@dataclass(frozen=True)
class StepView:
    """A step of a worklist that has not ended. Nobody is told its Transaction UID."""

    uid: str
    study_uid: str
    module: str
    state: StepState
    since: float
    told: str  # what the worklist was last told of its progress
    problem: str  # why it does not take what it is told


@dataclass(frozen=True)
class WorklistView:
    """A worklist whose steps are performed: whether it answers, since when, and which steps."""

    name: str
    kind: str
    state: WorklistState
    since: float | None
    problem: str
    steps: tuple[StepView, ...]
    paused: NotedPause | None = None


@dataclass(frozen=True)
class QuarantinedView:
    """One object that was received and not taken in, why, and what to do."""

    at: float
    reason: str
    advice: str
    sender: str
    study_uid: str
    file: str


@dataclass(frozen=True)
class QuarantineView:
    """How many objects are in the quarantine, and some of them."""

    total: int
    folder: str
    objects: tuple[QuarantinedView, ...]


def destinations(site: Site, records: Records) -> list[DestinationView]:
    """Every destination of the settings."""
    standings, counts = records.destinations.all(), records.deliveries.counts()
    pauses = records.pauses.of(PausedKind.DESTINATION)
    return [
        _destination(
            settings,
            standings.get(settings.name),
            counts.get(settings.name, {}),
            pauses.get(settings.name),
        )
        for settings in site.destination
    ]


def _destination(
    settings: DestinationSettings,
    standing: DestinationStanding | None,
    deliveries: Mapping[DeliveryState, int],
    paused: NotedPause | None,
) -> DestinationView:
    arrived = any(state in deliveries for state in ARRIVED)  # without a time without an answer
    state = DestinationState.REACHABLE if arrived else DestinationState.UNKNOWN
    return DestinationView(
        name=settings.name,
        kind=settings.kind,
        receives=settings.variant,
        state=standing.state if standing else state,
        since=standing.since if standing else None,
        problem=standing.problem if standing else "",
        deliveries=deliveries,
        paused=paused,
    )


def sources(site: Site, records: Records) -> list[SourceView]:
    """Every archive of the settings that is watched."""
    standings, pauses = records.sources.all(), records.pauses.of(PausedKind.SOURCE)
    return [
        _source(settings, standings.get(settings.name), pauses.get(settings.name))
        for settings in site.source
    ]


def _source(
    settings: SourceSettings, standing: SourceStanding | None, paused: NotedPause | None
) -> SourceView:
    if standing is None:
        state = SourceState.NOT_STARTED
        return SourceView(settings.name, settings.kind, state, paused=paused)
    return SourceView(
        name=settings.name,
        kind=settings.kind,
        state=standing.state,
        since=standing.since,
        problem=standing.problem,
        problem_at=standing.problem_at,
        seen_at=standing.seen_at,
        behind=standing.behind,
        fetched=standing.fetched,
        fetched_at=standing.fetched_at,
        paused=paused,
    )


def worklists(site: Site, records: Records) -> list[WorklistView]:
    """Every worklist of the settings."""
    standings, pauses = records.worklists.all(), records.pauses.of(PausedKind.WORKLIST)
    return [
        _worklist(
            settings,
            standings.get(settings.name),
            records.steps.open_of(settings.name),
            pauses.get(settings.name),
        )
        for settings in site.worklist
    ]


def _worklist(
    settings: WorklistSettings,
    standing: WorklistStanding | None,
    steps: list[WorklistStep],
    paused: NotedPause | None,
) -> WorklistView:
    return WorklistView(
        name=settings.name,
        kind=settings.kind,
        state=standing.state if standing else WorklistState.UNKNOWN,
        since=standing.since if standing else None,
        problem=standing.problem if standing else "",
        steps=tuple(
            StepView(
                step.uid,
                step.study_uid,
                step.module,
                step.state,
                step.since,
                step.told,
                step.problem,
            )
            for step in steps
        ),
        paused=paused,
    )


def quarantine(site: Site, newest: int = 100, skip: int = 0) -> QuarantineView:
    """The `newest` objects in the quarantine, the latest first, after the `skip` latest ones."""
    total, listed = quarantined_in(site.data, newest, skip)
    objects = tuple(
        QuarantinedView(i.at, i.reason, i.advice, i.sender, i.study_uid, i.path.name)
        for i in listed
    )
    return QuarantineView(total, str(site.data / "quarantine"), objects)
