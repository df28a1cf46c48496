"""A study that was made up to try an installation counts nowhere, and is seen where things wait."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from factory import a_delivery, a_study, a_workitem, put
from hilum.alarms import alarms_now
from hilum.assessments.decision import AssessmentDecision
from hilum.config import parse
from hilum.config.site import Site
from hilum.console.metrics import SiteMetrics
from hilum.dicom.uids import MADE_UP
from hilum.records import Records, tables, views
from hilum.records.assessed import Assessment
from hilum.records.exports import ExportFilter
from hilum.records.real import is_made_up, is_real
from hilum.records.rows import select
from hilum.records.states import DeliveryState, EventKind, WorkitemState
from hilum.records.views.modules import module_history
from hilum.records.views.statistics import statistics_of

REAL, TRIED = "1.2.3", f"{MADE_UP}01234567890123456789"
NOW = time.time()


@pytest.fixture
def records() -> Iterator[Records]:
    """A study of a patient and one that was made up; each with a result and with an analysis."""
    with closing(Records("sqlite://")) as records:
        for uid in (REAL, TRIED):
            put(records, a_study(study_uid=uid, folder=uid, first_at=NOW, last_at=NOW))
            done = a_workitem(id=f"{uid}.1", study_uid=uid, created=NOW, state=WorkitemState.FAILED)
            waits = a_workitem(id=f"{uid}.2", study_uid=uid, created=NOW)
            read = a_workitem(
                id=f"{uid}.3", study_uid=uid, created=NOW, state=WorkitemState.COMPLETED
            )
            arrived = a_delivery(done.id, state=DeliveryState.VERIFIED, verified_at=NOW + 1)
            put(records, done, waits, read, arrived)
            word = Assessment(read.id, 0, NOW, "a", "a", AssessmentDecision.ACCEPTED, "")
            assert records.assessments.add(word)
            records.events.add(uid, EventKind.RUNNING, "", done.id)
            records.workitems.note_findings(done, (), "")
        yield records


def metric(records: Records, site: Site, name: str) -> float:
    families = {one.name: one for one in SiteMetrics(site, records).collect()}
    return sum(s.value for s in families[name].samples if not s.name.endswith("_bucket"))


# What is counted -> how many of it there are of a study that counts
COUNTED: dict[str, tuple[Callable[[Records], object], object]] = {
    "studies and images": (lambda r: r.studies.totals(), (1, 3)),
    "statistics: studies": (lambda r: statistics_of(r, 2, NOW).days[-1].studies, 1),
    "statistics: results": (lambda r: statistics_of(r, 2, NOW).days[-1].results, 1),
    "statistics: troubles": (lambda r: statistics_of(r, 2, NOW).days[-1].troubles, 1),
    "the last hour": (
        lambda r: [chart.total for chart in views.now_view(r, NOW + 1).periods[0].charts],
        [1, 1, 1],
    ),
    "the module": (lambda r: module_history(r, "m", NOW + 1).analyses, 3),
    "workitems": (lambda r: sum(r.workitems.counts().values()), 3),
    "times of analyses": (lambda r: sum(one.number for one in r.durations.all()), 1),
    "agreement: results": (
        lambda r: [one.assessed.of for one in views.agreement_of(r, 2, NOW).modules],
        [1],
    ),
    "agreement: read": (
        lambda r: [one.assessed.count for one in views.agreement_of(r, 2, NOW).modules],
        [1],
    ),
    "export": (lambda r: len(list(r.exports.runs(ExportFilter(0.0, inf)))), 3),
}


@pytest.mark.parametrize("what", COUNTED)
def test_it_counts_in_nothing(what: str, records: Records) -> None:
    count, expected = COUNTED[what]
    assert count(records) == expected


@pytest.mark.parametrize(
    ("name", "number"), [("hilum_studies", 1), ("hilum_images", 3), ("hilum_workitems", 3)]
)
def test_no_metric_counts_it(name: str, number: int, records: Records, tmp_path: Path) -> None:
    assert metric(records, parse({"data": str(tmp_path)}), name) == number


def test_that_it_waits_is_seen(records: Records, tmp_path: Path) -> None:
    """For that it was made: to see whether all of it goes on."""
    put(records, a_workitem(id="9", study_uid=TRIED, created=NOW - 100))
    site: Any = parse({"data": str(tmp_path), "receiver": {"low_water_mb": 0}})
    [alarm] = [one for one in alarms_now(site, records, NOW) if one.name == "engine"]
    assert alarm.text == "3 analyses wait: no worker runs"
    assert [step.backlog.count for step in views.now_view(records, NOW).steps][1] == 3


def test_each_study_is_made_up_or_counts(database: str) -> None:
    tried = {MADE_UP, f"{MADE_UP}0", f"{MADE_UP}{'9' * 20}"}
    real = {MADE_UP[:-1], f"{MADE_UP[:-1]}0", f"2.25.{int(MADE_UP[5:]) + 1}", "1.2", "2.25", "3.1"}
    uid = tables.study.c.study_uid
    with closing(Records(database)) as records:
        put(records, *(a_study(study_uid=one, folder=one) for one in tried | real))
        for condition, which in ((is_made_up(uid), tried), (is_real(uid), real)):
            query = sa.select(uid).where(condition)
            assert {row.study_uid for row in select(records.database, query)} == which
