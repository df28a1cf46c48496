"""What hints do to the open studies, in whatever order they come."""

import math
import os
import time
from functools import partial
from pathlib import Path

import pytest

from factory import a_study, a_workitem, mr_slices, put, write
from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.errors import HilumError
from hilum.inbox import Inbox
from hilum.inbox.starts import MOST_STARTS, Starts
from hilum.module import Input
from hilum.processes.hints import Aborted, Counted, Quarantined, Released, Stored
from hilum.records import Records, views
from hilum.records.states import WorkitemState
from hilum.study.arrivals import MOST_COUNTS, Arrivals
from hilum.study.assembly import Run, Wait, decide
from hilum.study.verdict import Verdict


def folder_of(instance: Instance) -> str:
    return instance.path.parent.name


@pytest.fixture
def kept(tmp_path: Path) -> list[Instance]:
    inbox = Inbox(tmp_path)
    files = write(mr_slices(count=3, shape=(4, 4)), tmp_path / "scan")
    return [Instance.read(inbox.store(path.read_bytes()).path) for path in files]


@pytest.fixture
def arrivals(tmp_path: Path, kept: list[Instance]) -> Arrivals:
    return Arrivals(Inbox(tmp_path), Records(f"sqlite:///{tmp_path}/hilum.db"), OwnResults())


def test_a_count_that_comes_before_the_first_image_is_kept(
    arrivals: Arrivals, kept: list[Instance]
) -> None:
    first = kept[0]
    counted = partial(Counted, first.study_uid, first.series_uid)
    arrivals.take(counted(2))
    arrivals.take(counted(3))
    for number in range(MOST_COUNTS - 1):  # other studies, of which no image ever comes
        arrivals.take(Counted(str(number), first.series_uid, 1))
    arrivals.take(Stored(first.path, "a"))
    (arrival,) = arrivals.due(float("inf"))
    assert arrival.images_to_come(first.series_uid) == 3
    arrivals.take(counted(4))
    assert arrival.images_to_come(first.series_uid) == 4


def test_a_source_says_in_its_own_words_that_nothing_more_comes(
    arrivals: Arrivals, kept: list[Instance]
) -> None:
    caller = "pacs (source)"
    for instance in kept:
        arrivals.take(Stored(instance.path, "a", caller))
    arrivals.take(Released("a", caller, "has no more for now"))
    (arrival,) = arrivals.due(float("inf"))
    assert arrival.finished(kept[0].series_uid)
    texts = [event.text for event in arrivals._records.events.of_study(kept[0].study_uid)]
    assert texts[-1] == "pacs (source) has no more for now, 3 images of this study so far"


@pytest.mark.parametrize("others", [(), ("b",)])
def test_an_image_no_hint_told_of_is_seen_when_the_association_ends(
    arrivals: Arrivals, kept: list[Instance], others: tuple[str, ...]
) -> None:
    for association in ("a", *others):
        arrivals.take(Stored(kept[0].path, association))
    arrivals.take(Released("a"))
    (arrival,) = arrivals.due(float("inf"))
    assert arrival.images == len(kept)
    assert arrival.finished(kept[0].series_uid) is not bool(others)


STOPPED, STARTED = 1e9 + 2, 1e9 + 500
NEEDS = {"series": Input("MR")}


def second_half(kept: list[Instance], began: float) -> None:
    """The first two images came before the stop, a second apart, the last one since `began`."""
    for instance, at in zip(kept, (STOPPED - 1, STOPPED, began), strict=True):
        os.utime(instance.path, (at, at))


@pytest.mark.parametrize("by_hint", [True, False])
@pytest.mark.parametrize("starts", [(), (STARTED,), (1e8, STARTED, 2e9), (STARTED, 2e9)])
def test_a_pause_in_which_the_receiver_began_anew_is_not_the_senders(
    arrivals: Arrivals, tmp_path: Path, kept: list[Instance], by_hint: bool, starts: tuple[float]
) -> None:
    """Without that, a study that had half arrived waits as if its sender paused for minutes."""
    second_half(kept, STARTED + 1)
    for at in starts:
        Starts(tmp_path).note(at)
    if by_hint:
        for instance in kept:
            arrivals.take(Stored(instance.path, "a"))
    else:
        arrivals.sweep()
    (arrival,) = arrivals.due(float("inf"))
    assert arrival.longest_pause == (1.0 if starts else STARTED + 1 - STOPPED)
    decision = decide(arrival, NEEDS, Rule(module="m"), STARTED + 1 + 5)
    assert isinstance(decision, Run if starts else Wait)


def test_a_pause_before_or_after_a_start_is_the_senders(
    arrivals: Arrivals, tmp_path: Path, kept: list[Instance]
) -> None:
    Starts(tmp_path).note(STOPPED - 2)
    second_half(kept, STOPPED + 30)
    Starts(tmp_path).note(STOPPED + 31)
    arrivals.sweep()
    (arrival,) = arrivals.due(float("inf"))
    assert arrival.longest_pause == 30.0


@pytest.mark.parametrize("damage", ["", "half a numb", "\0\0\0"])
def test_starts_are_bounded_and_begin_anew_where_they_are_damaged(
    tmp_path: Path, damage: str
) -> None:
    starts = Starts(tmp_path)
    for at in range(2 * MOST_STARTS):
        starts.note(float(at))
    assert not starts.lie_between(0.0, MOST_STARTS - 1.0)
    assert starts.lie_between(0.0, float(MOST_STARTS))
    (tmp_path / "receiver.starts").write_text(damage)
    assert not starts.lie_between(0.0, 1e9)
    Starts(tmp_path).note(7.0)
    assert starts.lie_between(6.9, 7.0)
    assert not starts.lie_between(7.0, 8.0)


def test_a_study_came_when_its_first_file_did_not_when_it_was_found(
    arrivals: Arrivals, kept: list[Instance]
) -> None:
    for seconds, instance in enumerate(kept):
        os.utime(instance.path, (1e9 + seconds, 1e9 + seconds))
    arrivals.sweep()
    (arrival,) = arrivals.due(float("inf"))
    arrivals.reviewed(arrival, None, 0.0)
    study = arrivals._records.studies.one(arrival.study_uid)
    assert (study.first_at, study.last_at) == (1e9, 1e9 + 2)


def test_the_trace_says_why_an_association_broke_off(
    arrivals: Arrivals, kept: list[Instance]
) -> None:
    arrivals.take(Stored(kept[0].path, "a", "CT1"))
    arrivals.take(Aborted("a", "CT1", "the connection was lost"))
    (arrival,) = arrivals.due(float("inf"))
    text = views.trace(arrivals._records, arrival.study_uid)[-1].text
    assert text == (
        "CT1 aborted the association (the connection was lost), 3 images of this study so far"
    )


def test_the_trace_of_a_study_of_which_nothing_was_taken_in(arrivals: Arrivals) -> None:
    records = arrivals._records
    for study_uid in ("1.2.3", "2.3"):
        arrivals.take(Quarantined(Path("x.dcm"), study=study_uid, reason="no pixels"))
    assert views.study_called(records, "2.3") == "2.3"  # though another one ends so
    assert views.study_called(records, "1.2.3") == "1.2.3"
    assert [line.text for line in views.trace(records, "1.2.3")] == ["no pixels"]
    for ending, problem in ((".3", "several studies end in .3"), ("9", "no study ends in 9")):
        with pytest.raises(HilumError, match=problem):
            views.study_called(records, ending)


def test_what_a_held_series_lacks_is_known_when_its_study_is_opened_again(
    tmp_path: Path, arrivals: Arrivals, kept: list[Instance]
) -> None:
    """Until something comes of that series: another one of the study says nothing of it."""
    first, *_ = kept
    put(arrivals._records, a_study(study_uid=first.study_uid, folder=folder_of(first)))
    short, other = (
        Verdict("series", uid, "T1", 3, True, (), lacks=lacks)
        for uid, lacks in ((first.series_uid, "the association broke off"), ("1.2", ""))
    )
    held = {"state": WorkitemState.HELD, "verdicts": (short, other)}
    put(arrivals._records, a_workitem(study_uid=first.study_uid, **held))
    arrival = arrivals.reopen(first.study_uid)
    assert arrival.short == {first.series_uid: "the association broke off"}
    (other,) = write(mr_slices("other", count=1, shape=(4, 4)), tmp_path / "other")
    arrivals.add(Inbox(tmp_path).store(other.read_bytes()).path)
    assert first.series_uid in arrival.short
    arrivals.add(first.path)
    assert not arrival.short


def test_the_next_look_is_due_exactly_when_it_is_said_to_be(
    arrivals: Arrivals, kept: list[Instance]
) -> None:
    assert arrivals.next_due == math.inf, "no study is open"
    arrivals.take(Stored(kept[0].path, "a"))
    (arrival,) = arrivals.due(time.time())
    arrivals.reviewed(arrival, 1.0, cost=0.1)
    for wait in (3.0, 600.0):
        for path in (None, kept[1].path):
            if path:
                arrivals.take(Stored(path, "a"))
            at = arrivals.next_due
            assert arrivals.due(math.nextafter(at, 0.0)) == []
            (arrival,) = arrivals.due(at)
            arrivals.reviewed(arrival, wait, cost=0.1)
    arrivals.reviewed(arrival, None, cost=0.1)
    assert arrivals.next_due == math.inf
