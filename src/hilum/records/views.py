"""What `status`, `trace`, `demo --json` and the console show of the records.

Every view is a frozen dataclass; its fields are those of the JSON (`as_json`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from textwrap import shorten
from typing import Any, TypeVar

from pydantic_core import to_jsonable_python

from hilum.config.kinds import DestinationSettings, SourceSettings
from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.inbox import quarantined_in
from hilum.records import Records
from hilum.records.models import (
    Delivery,
    DestinationStanding,
    Removal,
    SourceStanding,
    Study,
    WorkitemOutline,
    WrittenResult,
)
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    EventKind,
    SourceState,
    WorkitemKind,
    WorkitemState,
)
from hilum.summary import NoteSummary, RefusalSummary, Summary
from hilum.verdict import Verdict

LONGEST_REFUSAL = 300  # characters
PAGE = 100  # studies
Item = TypeVar("Item")


@dataclass(frozen=True)
class ResultView:
    """One result object; `verified` once every destination has shown it."""

    kind: str
    media_type: str
    identity: str
    verified: bool


@dataclass(frozen=True)
class WorkitemView:
    """A workitem in full; `refusal` is the sentence that says why there is no result."""

    id: str
    kind: WorkitemKind
    module: str
    version: str
    weights_sha256: str
    state: WorkitemState
    reason: str
    chosen_series: tuple[Verdict, ...]
    rejected_series: tuple[Verdict, ...]
    incomplete: str | None
    predecessor: str | None
    superseded_by: str | None
    refusal: str | None
    findings: tuple[Summary, ...]
    results: tuple[ResultView, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class StudyView:
    """One study: how many images, when, and every workitem in full.

    It is `settled` once all its images are decided on, and `corrected` where a person has to decide
    on corrected patient data.
    """

    study_uid: str
    images: int
    first_at: float
    last_at: float
    settled: bool
    corrected: bool
    removed: Removal | None
    workitems: tuple[WorkitemView, ...]


@dataclass(frozen=True)
class StudyPage:
    """Some of the studies, the latest first: how many there are in all, and how many unfinished."""

    page: int
    pages: int
    total: int
    unfinished: int
    studies: tuple[StudyView, ...]


@dataclass(frozen=True)
class TraceLine:
    """One event of a study; `workitem` and `module` are "" where it is about the whole study."""

    at: float
    kind: EventKind
    text: str
    workitem: str
    module: str


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


def as_json(view: object) -> Any:
    """A view, or whatever holds views, as plain values for JSON."""
    return to_jsonable_python(view)


def studies(
    records: Records, page: int = 1, unfinished: bool = False, size: int = PAGE
) -> StudyPage:
    """One page of the studies, or of the unfinished ones alone; `HilumError` if there is no such.

    After the latest ones, the first page shows `size` of the unfinished ones that came before.
    """
    total, open_ones = records.studies.count(), records.studies.count(unfinished=True)
    pages = max(1, math.ceil((open_ones if unfinished else total) / size))
    if not 1 <= page <= pages:
        raise HilumError(f"there is no page {page}; the last one is {pages}")
    rows = records.studies.latest(size, (page - 1) * size, unfinished)
    if page == 1 and not unfinished and pages > 1:
        rows += records.studies.latest(size, unfinished=True, before=rows[-1].last_at)
    return StudyPage(page, pages, total, open_ones, tuple(_views(records, rows)))


def study(records: Records, study_uid: str) -> StudyView:
    """One study; `LookupError` if none of its images was taken in."""
    (view,) = _views(records, [records.studies.one(study_uid)])
    return view


def study_called(records: Records, ending: str) -> str:
    """The UID that is `ending`, or else the one that ends so; `HilumError` without exactly one.

    Where no study of which images came ends so, those are looked at of which none was taken in.
    """
    if records.events.has_study(ending):
        return ending
    found = records.studies.ending(ending) or records.events.studies_ending(ending)
    if len(found) != 1:
        many = "several studies end" if found else "no study ends"
        raise HilumError(f"{many} in {ending}; `hilum status` lists those that came in")
    return found[0]


def trace(records: Records, study_uid: str) -> list[TraceLine]:
    """Every event of one study in order; at its end, what is tried again and when."""
    return events(records, study_uid) + _planned(records, study_uid)


def events(records: Records, study_uid: str) -> list[TraceLine]:
    """What has happened to one study, in order."""
    modules = records.workitems.modules_of(study_uid)
    return [
        TraceLine(e.at, e.kind, e.text, e.workitem_id, modules.get(e.workitem_id, ""))
        for e in records.events.of_study(study_uid)
    ]


def _planned(records: Records, study_uid: str) -> list[TraceLine]:
    modules = records.workitems.modules_of(study_uid)
    standings = records.destinations.all().values()
    unreachable = {s.name for s in standings if s.state is DestinationState.UNREACHABLE}
    return [
        TraceLine(
            at=owed.next_attempt or owed.owed_at,
            kind=EventKind.NEXT,
            text=f"attempt {owed.attempts + 1} at {owed.destination}"
            + (", as soon as it answers" if owed.destination in unreachable else ""),
            workitem=owed.workitem_id,
            module=modules[owed.workitem_id],
        )
        for owed in records.deliveries.owed_of(modules)
    ]


def destinations(site: Site, records: Records) -> list[DestinationView]:
    """Every destination of the settings."""
    standings, counts = records.destinations.all(), records.deliveries.counts()
    return [
        _destination(settings, standings.get(settings.name), counts.get(settings.name, {}))
        for settings in site.destination
    ]


def _destination(
    settings: DestinationSettings,
    standing: DestinationStanding | None,
    deliveries: Mapping[DeliveryState, int],
) -> DestinationView:
    proven = DeliveryState.VERIFIED in deliveries  # without ever having been unreachable
    state = DestinationState.REACHABLE if proven else DestinationState.UNKNOWN
    return DestinationView(
        name=settings.name,
        kind=settings.kind,
        receives=settings.variant,
        state=standing.state if standing else state,
        since=standing.since if standing else None,
        problem=standing.problem if standing else "",
        deliveries=deliveries,
    )


def sources(site: Site, records: Records) -> list[SourceView]:
    """Every archive of the settings that is watched."""
    standings = records.sources.all()
    return [_source(settings, standings.get(settings.name)) for settings in site.source]


def _source(settings: SourceSettings, standing: SourceStanding | None) -> SourceView:
    if standing is None:
        return SourceView(settings.name, settings.kind, SourceState.NOT_STARTED)
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
    )


def quarantine(site: Site, newest: int = 100, skip: int = 0) -> QuarantineView:
    """The `newest` objects in the quarantine, the latest first, after the `skip` latest ones."""
    total, listed = quarantined_in(site.data, newest, skip)
    objects = tuple(
        QuarantinedView(i.at, i.reason, i.advice, i.sender, i.study_uid, i.path.name)
        for i in listed
    )
    return QuarantineView(total, str(site.data / "quarantine"), objects)


def refusal_in(findings: Iterable[Summary]) -> str | None:
    """The sentence, shortened, that says why there is no result; None if there is one."""
    findings = tuple(findings)
    said = [finding.text for finding in findings if isinstance(finding, RefusalSummary)]
    if not said or not all(isinstance(f, RefusalSummary | NoteSummary) for f in findings):
        return None
    return shorten(said[0], LONGEST_REFUSAL, placeholder=" ...")


def _views(records: Records, rows: Iterable[Study]) -> list[StudyView]:
    """Studies with all that belongs to them: the same number of queries for one or a hundred."""
    rows = list(rows)
    uids = [row.study_uid for row in rows]
    items = records.workitems.outlines_of(uids)
    ids = [item.id for item in items]
    results = _grouped(records.results.of_workitems(ids), "workitem_id")
    deliveries = _grouped(records.deliveries.of_workitems(ids), "workitem_id")
    removals = {removal.study_uid: removal for removal in records.studies.removals(uids)}
    corrected = records.corrections.open_studies(uids)
    of_study = _grouped(items, "study_uid")
    return [
        StudyView(
            study_uid=row.study_uid,
            images=row.images,
            first_at=row.first_at,
            last_at=row.last_at,
            settled=bool(row.settled_images or row.study_uid in removals),
            corrected=row.study_uid in corrected,
            removed=removals.get(row.study_uid),
            workitems=tuple(
                _workitem(item, results.get(item.id, ()), deliveries.get(item.id, ()))
                for item in of_study.get(row.study_uid, ())
            ),
        )
        for row in rows
    ]


def _grouped(rows: Iterable[Item], field: str) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for row in rows:
        groups.setdefault(attrgetter(field)(row), []).append(row)
    return groups


def _workitem(
    item: WorkitemOutline, results: Iterable[WrittenResult], deliveries: Iterable[Delivery]
) -> WorkitemView:
    deliveries = tuple(deliveries)
    is_shown = bool(deliveries) and all(d.state is DeliveryState.VERIFIED for d in deliveries)
    return WorkitemView(
        id=item.id,
        kind=item.kind,
        module=item.module,
        version=item.version,
        weights_sha256=item.weights_sha256,
        state=item.state,
        reason=item.reason,
        chosen_series=tuple(verdict for verdict in item.verdicts if verdict.accepted),
        rejected_series=tuple(verdict for verdict in item.verdicts if not verdict.accepted),
        incomplete=item.incomplete,
        predecessor=item.predecessor,
        superseded_by=item.superseded_by,
        refusal=refusal_in(item.findings or ()),
        findings=item.findings or (),
        results=tuple(ResultView(r.kind, r.media_type, r.identity, is_shown) for r in results),
        deliveries=deliveries,
    )
