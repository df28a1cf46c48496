"""How far readers agree with a module: each result once, with bounds as statisticians have them."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import a_study, a_workitem, put
from hilum.decision import AssessmentDecision
from hilum.records import Records
from hilum.records.assessed import Assessment
from hilum.records.states import WorkitemState
from hilum.records.views import Share, agreement_of

ACCEPTED, REJECTED, SUPPLEMENTED = AssessmentDecision
DAY = 86400.0
NOW = time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1))
SAID = (  # module, version, days ago, what each reader says in turn
    ("lung", "1", 1, (("anna", ACCEPTED),)),
    ("lung", "1", 2, (("anna", REJECTED), ("anna", ACCEPTED))),  # the last word counts
    ("lung", "1", 9, (("anna", REJECTED), ("bob", REJECTED))),
    ("lung", "1", 10, (("anna", ACCEPTED), ("bob", SUPPLEMENTED))),
    ("lung", "1", 3, ()),
    ("lung", "2", 1, (("bob", SUPPLEMENTED),)),
    ("lung", "1", 40, (("anna", REJECTED),)),  # too old
    ("brain", "1", 1, ()),
)


@pytest.fixture
def records() -> Iterator[Records]:
    with closing(Records("sqlite://")) as records:
        for number, (module, version, days, said) in enumerate(SAID):
            uid, created = f"1.{number}", NOW - days * DAY
            put(records, a_study(study_uid=uid, folder=uid))
            item = a_workitem(id=f"{uid}.1", study_uid=uid, module=module, version=version)
            put(records, replace(item, created=created, state=WorkitemState.COMPLETED))
            for at, (reader, decision) in enumerate(said):
                reason = f"{reader} of {uid}" if decision is REJECTED else ""
                word = (f"{uid}.1", 0, NOW + at, reader, reader, decision, reason)
                records.assessments.add(Assessment(*word))
        yield records


def test_each_result_counts_once_by_the_last_word_of_each_reader(records: Records) -> None:
    brain, first, second = agreement_of(records, 30, NOW).modules
    assert [(m.version.module, m.version.version) for m in (brain, first, second)] == [
        ("brain", "1"),
        ("lung", "1"),
        ("lung", "2"),
    ]
    assert (brain.assessed, first.assessed, second.assessed) == (
        Share(0, 1),
        Share(4, 5),
        Share(1, 1),
    )
    assert {standing.value: share for standing, share in first.shares.items()} == {
        "accepted": Share(2, 4),
        "rejected": Share(1, 4),
        "supplemented": Share(0, 4),
        "readers disagree": Share(1, 4),
    }
    assert first.unanimous == Share(1, 2)
    weeks = [{one.value: n for one, n in week.items() if n} for week in first.weeks]
    assert weeks == [{}, {}, {}, {"rejected": 1, "readers disagree": 1}, {"accepted": 2}]


def test_a_result_that_was_taken_back_still_counts(records: Records) -> None:
    before = agreement_of(records, 30, NOW)
    assert records.moves.withdraw_here(records.workitems.one("1.2.1"), "readers rejected it")
    assert agreement_of(records, 30, NOW) == before
    assert before.rejected[0].reason == "bob of 1.2"  # the latest first
    assert [one.reason for one in before.rejected] == ["bob of 1.2", "anna of 1.2"]


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_are_those_of_wilson(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    if not share.of:
        assert (share.value, share.low, share.high) == (None, 0.0, 1.0)
        return
    from scipy.stats import binomtest  # half a second that only this test needs

    known = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert (share.low, share.high) == pytest.approx((known.low, known.high), abs=1e-6)


def test_without_results_there_is_nothing_to_say() -> None:
    with closing(Records("sqlite://")) as records:
        found = agreement_of(records, 7)
    assert (found.modules, found.rejected) == ((), ())
