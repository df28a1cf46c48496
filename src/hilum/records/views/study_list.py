"""The studies with all that belongs to them: a page of the list, or one of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TypeVar

from hilum.records import Records
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.studies import Removal, Study
from hilum.records.models.workitems import WorkitemOutline
from hilum.records.search import StudyQuery
from hilum.records.states import PROVEN, StudyState, StudyWait, WorkitemKind, WorkitemState
from hilum.records.views.finding import PAGE, find, page_count
from hilum.study.verdict import Verdict
from hilum.summary import Summary, refusal_in

ALL = StudyQuery()
OPEN = (StudyState.UNJUDGED, *(StudyState(one) for one in WorkitemState if not one.final))
Item = TypeVar("Item")


@dataclass(frozen=True)
class ResultView:
    """One result object; `verified` once every destination has shown that it keeps it."""

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
    asked: bool  # a person chose its module and destinations, no rule did


@dataclass(frozen=True)
class StudyView:
    """One study: how many images, when, and every workitem in full.

    Its `address` stands for it in URLs. It is `settled` once all its images are decided on, and
    `corrected` where a person has to decide on corrected patient data. Until it is settled,
    `waits_for` says for what, and `obstacle` why a rule cannot look at it, "" where all could.
    """

    study_uid: str
    address: str
    images: int
    first_at: float
    last_at: float
    settled: bool
    waits_for: StudyWait | None
    obstacle: str
    corrected: bool
    removed: Removal | None
    workitems: tuple[WorkitemView, ...]


@dataclass(frozen=True)
class StudyPage:
    """Some of the studies, the latest first: how many there are in all, and how many unfinished.

    `found` is how many meet the conditions, all where there are none.
    """

    page: int
    pages: int
    total: int
    unfinished: int
    found: int
    studies: tuple[StudyView, ...]


def studies(
    records: Records,
    page: int = 1,
    unfinished: bool = False,
    size: int = PAGE,
    query: StudyQuery = ALL,
) -> StudyPage:
    """One page of the studies, or of the unfinished ones alone; `HilumError` if there is no such.

    After the latest ones, the first page shows `size` of the unfinished ones that came before. With
    a `query`, only what it finds is shown, in its order.
    """
    total, open_ones = records.studies.count(), records.studies.count(unfinished=True)
    if query != ALL:
        if unfinished:
            query = replace(query, states=query.states or OPEN)
        found = find(records, query, page, size)
        uids = [one.study_uid for one in found.studies]
        views = tuple(_views(records, records.studies.several(uids)))
        return StudyPage(page, found.pages, total, open_ones, found.total, views)
    shown = open_ones if unfinished else total
    pages = page_count(shown, page, size)
    rows = records.studies.latest(size, (page - 1) * size, unfinished)
    if page == 1 and not unfinished and pages > 1:
        rows += records.studies.latest(size, unfinished=True, before=rows[-1].last_at)
    return StudyPage(page, pages, total, open_ones, shown, tuple(_views(records, rows)))


def study(records: Records, study_uid: str) -> StudyView:
    """One study; `LookupError` if none of its images was taken in."""
    (view,) = _views(records, [records.studies.one(study_uid)])
    return view


def _views(records: Records, rows: Iterable[Study]) -> list[StudyView]:
    """Studies with all that belongs to them: the same number of queries for one or a hundred."""
    rows = list(rows)
    uids = [row.study_uid for row in rows]
    items = records.workitems.outlines_of(uids)
    ids = [item.id for item in items]
    results = _grouped(records.results.of_workitems(ids), "workitem_id")
    deliveries = _grouped(records.deliveries.of_workitems(ids), "workitem_id")
    addresses = records.identifiers.addresses(uids)
    removals = {removal.study_uid: removal for removal in records.studies.removals(uids)}
    corrected = records.corrections.open_studies(uids)
    of_study = _grouped(items, "study_uid")
    return [
        StudyView(
            study_uid=row.study_uid,
            address=addresses.get(row.study_uid, ""),
            images=row.images,
            first_at=row.first_at,
            last_at=row.last_at,
            settled=bool(row.settled_images or row.study_uid in removals),
            waits_for=None if row.study_uid in removals else row.waits_for,
            obstacle="" if row.study_uid in removals else row.obstacle,
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
    is_proven = bool(deliveries) and all(d.state in PROVEN for d in deliveries)
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
        results=tuple(ResultView(r.kind, r.media_type, r.identity, is_proven) for r in results),
        deliveries=deliveries,
        asked=item.asked,
    )
