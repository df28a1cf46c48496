"""What readers say of results: nothing is lost, the last word counts, and some must not be said."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from factory import a_study, a_workitem, put
from hilum.assessments.assessing import NAMES_PATIENT, fault_in, objection_to, to_be_assessed
from hilum.assessments.decision import AssessmentDecision
from hilum.errors import HilumError
from hilum.records import Records, views
from hilum.records.assessed import Assessment
from hilum.records.listed import ListedStudy, StudyIdentifiers
from hilum.records.search import StudyQuery
from hilum.records.states import (
    ASSESSABLE,
    AssessmentStanding,
    EventKind,
    WorkitemKind,
    WorkitemState,
)

ACCEPTED, REJECTED, SUPPLEMENTED = AssessmentDecision
DONE = WorkitemState.COMPLETED
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def records() -> Iterator[Records]:
    with closing(Records("sqlite://")) as opened:
        yield opened


def a_result_of(records: Records, state: WorkitemState = DONE, **values: object) -> str:
    """The id of a workitem of a study of its own."""
    uid = f"1.7.{next(NUMBERS)}"
    put(records, a_study(study_uid=uid, folder=uid))
    put(records, a_workitem(id=f"{uid}.1", study_uid=uid, state=state, **values))
    return f"{uid}.1"


def say(
    records: Records, item: str, decision: AssessmentDecision, who: str = "anna", reason: str = ""
) -> Assessment | None:
    said = Assessment(item, 0, 1.0, who, f"account {who}", decision, reason)
    return records.assessments.add(said)


def listed(records: Records, item: str) -> ListedStudy:
    uid = item.removesuffix(".1")
    study = records.search.at(records.identifiers.addresses([uid])[uid])
    assert study
    return study


def test_a_reader_may_change_their_mind_and_others_may_disagree(records: Records) -> None:
    item = a_result_of(records)
    standings = []
    for said in (
        (ACCEPTED, "anna", ""),
        (REJECTED, "bob", "wrong side"),
        (REJECTED, "anna", "bob is right"),
        (REJECTED, "anna", "bob is right"),  # sent twice
    ):
        assert say(records, item, *said)
        standings.append(listed(records, item).assessments)
    rows = records.assessments.of_workitems([item])[item]
    assert [(one.number, one.reader, one.decision, one.reason) for one in rows] == [
        (1, "anna", "accepted", ""),
        (2, "bob", "rejected", "wrong side"),
        (3, "anna", "rejected", "bob is right"),
    ]
    assert [list(one) for one in standings] == [
        ["accepted"],
        ["accepted", "readers disagree", "rejected"],
        ["rejected"],
        ["rejected"],
    ]
    lines = records.events.of_kind(item.removesuffix(".1"), EventKind.ASSESSED)
    assert [line.text for line in lines] == [
        f"m 1 is {decision} by a reader" for decision in ("accepted", "rejected", "rejected")
    ]


@pytest.mark.parametrize("kind", WorkitemKind)
@pytest.mark.parametrize("state", WorkitemState)
def test_what_may_be_assessed_is_on_record_and_nothing_else(
    records: Records, state: WorkitemState, kind: WorkitemKind
) -> None:
    may_be = kind is WorkitemKind.RUN and state in ASSESSABLE
    item = a_result_of(records, state, kind=kind)
    objection = objection_to(records.workitems.one(item))
    assert bool(objection) is not may_be
    assert bool(say(records, item, ACCEPTED)) is may_be
    assert bool(records.assessments.of_workitems([item])) is may_be
    if state is WorkitemState.WITHDRAWN and kind is WorkitemKind.RUN:
        assert "it was taken back" in objection


def test_a_version_that_another_run_has_replaced_is_assessed_apart(records: Records) -> None:
    old = a_result_of(records, superseded_by="new")
    assert say(records, old, REJECTED, reason="motion")
    assert listed(records, old).assessments == ()  # nothing stands that could be assessed
    uid = old.removesuffix(".1")
    put(records, a_workitem(id=f"{uid}.2", study_uid=uid, state=DONE, predecessor=old))
    assert listed(records, old).assessments == ("not assessed",)
    assert to_be_assessed(records, uid) == f"{uid}.2"
    assert to_be_assessed(records, old) == old


@pytest.mark.parametrize(
    ("standing", "found"),
    [
        (AssessmentStanding.NOT_ASSESSED, {"fresh", "half"}),
        (AssessmentStanding.REJECTED, {"half", "disputed"}),
        (AssessmentStanding.DISAGREED, {"disputed"}),
        (AssessmentStanding.SUPPLEMENTED, set()),
    ],
)
def test_studies_are_found_by_how_their_results_stand(
    standing: AssessmentStanding, found: set[str]
) -> None:
    with closing(Records("sqlite://")) as records:
        for name in ("fresh", "half", "disputed", "gone", "waiting"):
            put(records, a_study(study_uid=name, folder=name))
            state = {"gone": WorkitemState.WITHDRAWN, "waiting": WorkitemState.HELD}.get(name, DONE)
            put(records, a_workitem(id=f"{name}.1", study_uid=name, state=state))
        put(records, a_workitem(id="half.2", study_uid="half", module="other", state=DONE))
        say(records, "half.1", REJECTED, reason="so")
        say(records, "disputed.1", REJECTED, reason="so")
        say(records, "disputed.1", ACCEPTED, "bob")
        page = views.find(records, StudyQuery(assessments=(standing,)))
        assert {study.study_uid for study in page.studies} == found


def test_readers_who_speak_at_the_same_time_are_all_heard(database: str) -> None:
    with closing(Records(database)) as records:
        item = a_result_of(records)
        names = [f"reader{number}" for number in range(6)]
        threads = [threading.Thread(target=say, args=(records, item, ACCEPTED, n)) for n in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = records.assessments.of_workitems([item])[item]
        assert sorted(one.reader for one in rows) == names
        assert [one.number for one in rows] == list(range(1, 7))


@pytest.mark.parametrize(
    ("reason", "decision", "words"),
    [
        ("", ACCEPTED, ""),
        ("", REJECTED, "say why it is rejected"),
        ("  ", SUPPLEMENTED, "say why it is supplemented"),
        ("x" * 501, ACCEPTED, "shorten it"),
        ("White matter was taken for the hippocampus", REJECTED, ""),
        ("not that of Mary White", REJECTED, NAMES_PATIENT),
        ("MÄRY white, wrong side", REJECTED, NAMES_PATIENT),
        ("patient PID-4711: wrong side", REJECTED, NAMES_PATIENT),
        ("accession acc/7788?", ACCEPTED, ""),
        ("see acc-7788.", ACCEPTED, NAMES_PATIENT),
    ],
)
def test_a_reason_is_there_and_does_not_name_the_patient(
    records: Records, reason: str, decision: AssessmentDecision, words: str
) -> None:
    item = a_result_of(records)
    said = StudyIdentifiers("PID-4711", "", "WHITE^Mary", "ACC-7788")
    assert records.identifiers.note_older(item.removesuffix(".1"), said)
    study = listed(records, item)
    assert words in fault_in(reason, decision, study)
    assert bool(words) is bool(fault_in(reason, decision, study))
    if words == NAMES_PATIENT:  # the cure
        assert fault_in("wrong side", decision, study) == ""


def test_a_study_of_several_results_asks_which(records: Records) -> None:
    item = a_result_of(records)
    uid = item.removesuffix(".1")
    assert to_be_assessed(records, uid) == item
    other = a_workitem(id=f"{uid}.2", study_uid=uid, module="other", state=DONE)
    put(records, other, replace(other, id=f"{uid}.3", module="held", state=WorkitemState.HELD))
    with pytest.raises(HilumError, match=rf"{uid[-4:]}.2 of other") as error:
        to_be_assessed(records, uid)
    assert "held" not in str(error.value)
    assert to_be_assessed(records, uid, "other") == f"{uid}.2"
    with pytest.raises(HilumError, match="held: it is held, so there is no result"):
        to_be_assessed(records, uid, "held")
    with pytest.raises(HilumError, match="no module has a result"):
        to_be_assessed(records, uid, "unknown")
