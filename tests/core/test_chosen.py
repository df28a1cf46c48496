"""A person has a study run again, by another module, or although it is short; in words, if not."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from factory import OURS, a_workitem, mr_slices, put
from hilum.acts.asking import workitem_meant
from hilum.acts.requests import obey
from hilum.acts.withdrawing import RejectionNote, take_back
from hilum.alarms.alarm import Facts
from hilum.alarms.kinds import failed
from hilum.config.site import Rule, Site
from hilum.dicom.part10 import as_file
from hilum.engine import exchange
from hilum.findings import Findings, Note
from hilum.module import Input
from hilum.records.models.requests import Wish
from hilum.records.models.standings import NotedPause
from hilum.records.models.workitems import Workitem
from hilum.records.states import PausedKind, RequestAction, WorkitemState
from hilum.study.arrivals import Arrivals
from hilum.study.flow import Flow
from hilum.study.workitems import ASKED_FOR
from tests.core.test_order_of_arrival import HELD, Death, Gateway, Module, contents, gateway

QUICK = HELD.model_copy(update={"send_to": ("out",)})
ELSE = Rule(module="m", series={"SeriesDescription": "Other"}, give_up_seconds=20)
OUT = {"name": "out", "kind": "folder", "folder": "/nowhere/out"}
THERE = {"name": "there", "kind": "folder", "folder": "/nowhere/there"}


class Newer(Module):
    """The same module after an upgrade."""

    version = "2"


class Other(Module):
    """Is meant for MR, too."""

    name = "n"


class OfCT(Module):
    """Needs what is not here."""

    name = "ct"
    needs = Input("CT", slice_spacing=(0.5, 2.0))


ALL = {"m": Module, "n": Other, "ct": OfCT}


@pytest.fixture
def hall() -> Iterator[Gateway]:
    with gateway(rule=(QUICK,), destination=[OUT, THERE]) as made:
        reopen(made, modules=ALL)
        yield made


def reopen(hall: Gateway, *, modules: dict[str, Any] = ALL, **settings: Any) -> None:
    """Hilum is started again with other settings or modules."""
    hall.flow._hints.close()
    site = Site(**{**dict(hall.flow.site), **settings})
    name = f"flow {next(hall.numbers)}"
    hall.flow = Flow(site, hall.records, modules, hall.clock, hall.engine, name)
    hall.flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)


def receive(hall: Gateway, *images: Dataset | bytes) -> str:
    """Take in images, and wait until they are decided on; the UID of their study."""
    for image in images:
        hall.receive(image if isinstance(image, bytes) else as_file(image), "a")
    hall.wait(150)
    [study] = hall.records.studies.latest(1, 0)
    return study.study_uid


def items(hall: Gateway, study_uid: str) -> list[Workitem]:
    return hall.records.workitems.of_study(study_uid)


def work(hall: Gateway, item: Workitem) -> Workitem:
    """What the worker does with it; its result is owed then."""
    assert hall.flow.begin(item.id)
    hall.records.moves.set_state(item.id, WorkitemState.RUNNING)
    exchange.save(Findings((Note("Seen."),)), hall.flow.workitems.result_folder(item.id))
    hall.flow.write(item.id)
    return hall.records.workitems.one(item.id)


def ask(
    hall: Gateway, action: RequestAction, study_uid: str, item: str = "", **wish: Any
) -> tuple[bool, str]:
    number = hall.records.requests.add(action, item, "", study_uid, Wish(**wish))
    obey(hall.flow)
    asked = hall.records.requests.one(number)
    assert asked.answer
    hall.now = max(hall.now, asked.at) + 1
    return asked.done, asked.answer


# Run again ----------------------------------------------------------------------------------------


def test_the_same_images_rule_and_module_give_nothing_new(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    [item] = items(hall, uid)
    assert ask(hall, RequestAction.RERUN, uid) == (
        True,
        f"{item.module} analyses it as workitem {item.id}, which is scheduled",
    )
    item = work(hall, item)
    done, said = ask(hall, RequestAction.RERUN, uid)
    same = f"the same images and rule have given workitem {item.id[-8:]} of {item.module}"
    assert (done, said) == (False, f"nothing new is made: {same}, which is delivering")
    take_back(hall.flow, item, RejectionNote(hall.now, "Wrong."))
    done, said = ask(hall, RequestAction.RERUN, uid)
    assert (done, said) == (False, f"nothing new is made: {same}, which was taken back")
    assert len([one for one in items(hall, uid) if one.is_run]) == 1


def test_a_newer_module_replaces_its_result(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    old = work(hall, items(hall, uid)[0])
    reopen(hall, modules={**ALL, "m": Newer})
    done, said = ask(hall, RequestAction.RERUN, uid)
    [old, new] = items(hall, uid)
    assert (done, said) == (True, f"analysed again by {new.module} as workitem {new.id}")
    assert (new.version, new.predecessor, old.superseded_by) == ("2", old.id, new.id)
    before = hall.records.results.of_workitem(old.id)
    assert hall.flow.workitems.study(new)
    work(hall, new)
    named = hall.flow.workitems.analysis(hall.records.workitems.one(new.id)).predecessor
    assert {one for _, one in named} == {
        r.identity for r in before if r.media_type == "application/dicom"
    }
    assert ask(hall, RequestAction.RERUN, uid)[0] is False
    assert len(items(hall, uid)) == 2


def test_a_rule_that_was_changed_replaces_the_result_of_before(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    work(hall, items(hall, uid)[0])
    changed = QUICK.model_copy(update={"series": {"SeriesDescription": "^Hippo"}})
    reopen(hall, rule=(changed,))
    assert ask(hall, RequestAction.RERUN, uid)[0]
    [old, new] = items(hall, uid)
    assert (old.superseded_by, new.rule_key) == (new.id, changed.key)


def test_what_no_rule_took_or_could_use_is_decided_on_by_todays_rules(hall: Gateway) -> None:
    reopen(hall, rule=(ELSE,))
    uid = receive(hall, *contents("one"))
    [item] = items(hall, uid)
    assert item.state is WorkitemState.NOT_APPLICABLE
    done, said = ask(hall, RequestAction.RERUN, uid)
    assert (done, said) == (False, f"not run again: m: {item.reason}")
    reopen(hall, rule=())
    assert ask(hall, RequestAction.RERUN, uid) == (
        False,
        "not run again: no rule takes the study",
    )
    assert items(hall, uid) == []
    reopen(hall, rule=(QUICK,))
    assert ask(hall, RequestAction.RERUN, uid)[0]
    assert [one.state for one in items(hall, uid)] == [WorkitemState.SCHEDULED]


@pytest.mark.parametrize("state", [WorkitemState.FAILED, WorkitemState.CANCELLED])
def test_what_failed_or_was_cancelled_is_analysed_again(
    hall: Gateway, state: WorkitemState
) -> None:
    uid = receive(hall, *contents("one"))
    [item] = items(hall, uid)
    hall.records.moves.set_state(item.id, state, "so it was")
    for _ in range(2):
        done, said = ask(hall, RequestAction.RERUN, uid)
        assert done, said
    [old, new] = items(hall, uid)
    assert (old.superseded_by, new.state) == (new.id, WorkitemState.SCHEDULED)


def test_a_failure_that_nobody_was_told_of_can_be_left_as_it_is(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    [item] = items(hall, uid)
    hall.records.moves.set_state(item.id, WorkitemState.FAILED, "its worker died")
    [alarm] = failed.alarms(Facts(hall.flow.site, hall.records, hall.now))
    assert f"`hilum cancel {uid}`" in alarm.cure_here
    meant = workitem_meant(hall.records, uid, RequestAction.CANCEL)
    assert meant == item.id
    other = a_workitem(id="9.9", study_uid=uid, state=WorkitemState.RUNNING)
    put(hall.records, other)
    assert workitem_meant(hall.records, uid, RequestAction.CANCEL) == other.id, "that goes first"
    number = hall.records.requests.add(RequestAction.CANCEL, meant)
    obey(hall.flow)
    assert hall.records.requests.one(number).answer == "cancelled by a person"
    assert not list(failed.alarms(Facts(hall.flow.site, hall.records, hall.now)))


def test_without_images_it_is_said_what_to_do(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    for image in hall.inbox.study_folder(uid).glob("*.dcm"):
        image.unlink()
    for action in (RequestAction.RERUN, RequestAction.ANALYSE):
        done, said = ask(hall, action, uid, module="n")
        assert (done, "none of its images is here; fetch it" in said) == (False, True)


# Another module -----------------------------------------------------------------------------------


def test_another_module_is_run_whatever_the_rules_say(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    done, said = ask(hall, RequestAction.ANALYSE, uid, module="n", destinations=("there",))
    [_, new] = items(hall, uid)
    assert done
    assert said == f"n analyses it as workitem {new.id}; its result goes to there"
    assert (new.module, new.asked, new.rule.send_to) == ("n", True, ("there",))
    work(hall, new)
    sent = hall.records.deliveries.of_workitem(new.id)
    assert [one.destination for one in sent] == ["there"]
    reasons = hall.flow.workitems.analysis(hall.records.workitems.one(new.id)).reasons
    assert reasons[0] == ASKED_FOR
    done, said = ask(hall, RequestAction.ANALYSE, uid, module="n")
    assert (done, f"workitem {new.id[-8:]} of n is delivering" in said) == (False, True)


def test_without_a_destination_the_result_stays_here(hall: Gateway) -> None:
    reopen(hall, route=[{"send_to": ["out"]}])  # routes are not for what a person chose
    uid = receive(hall, *contents("one"))
    done, said = ask(hall, RequestAction.ANALYSE, uid, module="n")
    assert (done, said.endswith("its result stays here")) == (True, True)
    new = work(hall, items(hall, uid)[-1])
    assert hall.records.results.of_workitem(new.id)
    assert hall.records.deliveries.of_workitem(new.id) == []
    assert new.state is WorkitemState.COMPLETED


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"module": "ct"}, "modality is MR, module needs CT"),
        ({"module": "mm"}, "no module is called mm, did you mean 'm'?"),
        ({"module": "n", "destinations": ("ou",)}, "no destination is called ou"),
        ({"module": "m"}, "of m is scheduled: run the study again, or send that result on"),
    ],
)
def test_what_a_module_needs_is_not_passed_over(
    hall: Gateway, wish: dict[str, Any], why: str
) -> None:
    uid = receive(hall, *contents("one"))
    done, said = ask(hall, RequestAction.ANALYSE, uid, **wish)
    assert (done, said.startswith("not analysed: ")) == (False, True)
    assert why in said
    assert len(items(hall, uid)) == 1


def test_a_rule_that_names_the_module_later_replaces_what_was_asked_for(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    ask(hall, RequestAction.ANALYSE, uid, module="n")
    asked = work(hall, items(hall, uid)[-1])
    reopen(hall, rule=(QUICK, QUICK.model_copy(update={"module": "n"})))
    assert ask(hall, RequestAction.RERUN, uid)[0]
    new = items(hall, uid)[-1]
    assert (new.module, new.asked, new.predecessor) == ("n", False, asked.id)


@pytest.mark.parametrize("writes", range(8))
def test_whatever_dies_an_analysis_is_asked_for_once(hall: Gateway, writes: int) -> None:
    uid = receive(hall, *contents("one"))
    number = hall.records.requests.add(RequestAction.ANALYSE, study_uid=uid, wish=Wish(module="n"))
    hall.records.transactions_left = writes
    try:
        obey(hall.flow)
    except Death:
        reopen(hall)
        obey(hall.flow)
    hall.records.transactions_left = None
    hall.flow.sweep()
    asked = hall.records.requests.one(number)
    assert (asked.done, "n analyses it as workitem" in (asked.answer or "")) == (True, True)
    [new] = [one for one in items(hall, uid) if one.asked]
    assert new.id in hall.engine.launched.values()


def test_what_was_stopped_is_begun_again_with_what_is_chosen_now(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    ask(hall, RequestAction.ANALYSE, uid, module="n")
    old = items(hall, uid)[-1]
    assert ask(hall, RequestAction.CANCEL, uid, old.id)[0]
    done, said = ask(hall, RequestAction.ANALYSE, uid, module="n", destinations=("there",))
    new = items(hall, uid)[-1]
    assert (done, said) == (True, f"analysed again by {new.module} as workitem {new.id}")
    assert (new.predecessor, new.asked, new.rule.send_to) == (old.id, True, ("there",))


def test_the_answer_says_that_a_disabled_module_waits(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    hall.records.pauses.begin(NotedPause(PausedKind.MODULE, "n", 1.0, "kim", "it is looked into"))
    begun = ask(hall, RequestAction.ANALYSE, uid, module="n")
    assert begun[0]
    assert begun[1].endswith("; its result stays here; n is disabled, so it waits")
    old = items(hall, uid)[-1]
    assert ask(hall, RequestAction.CANCEL, uid, old.id)[0]
    again = ask(hall, RequestAction.ANALYSE, uid, module="n")
    new = items(hall, uid)[-1]
    assert again == (
        True,
        f"analysed again by {new.module} as workitem {new.id}; n is disabled, so it waits",
    )


# What is short ------------------------------------------------------------------------------------


def short(count: int = 6, announced: int = 8) -> list[Dataset]:
    images = mr_slices("short", "short", count, shape=(4, 4))
    for image in images:
        image.NumberOfSeriesRelatedInstances = announced
    return images


def held(hall: Gateway, *images: Dataset) -> Workitem:
    uid = receive(hall, *images)
    [item] = items(hall, uid)
    assert item.state is WorkitemState.HELD
    return item


def test_a_short_series_is_analysed_if_a_person_wants_it(hall: Gateway) -> None:
    item = held(hall, *short())
    done, said = ask(hall, RequestAction.ANALYSE_SHORT, item.study_uid, item.id)
    [new] = items(hall, item.study_uid)
    assert done
    assert said == f"m analyses it as workitem {new.id}; its result goes to out"
    assert new.incomplete
    assert "6 of 8 images" in new.incomplete
    work(hall, new)
    arrival = hall.flow.arrivals.reopen(item.study_uid)  # as a repeated image does
    hall.flow.look_at(arrival)
    assert [one.id for one in items(hall, item.study_uid)] == [new.id]
    assert hall.flow.workitems.analysis(new).incomplete == new.incomplete
    for image in mr_slices("short", "short", 8, shape=(4, 4))[6:]:
        image.NumberOfSeriesRelatedInstances = 8
        hall.receive(as_file(image), "b")
    hall.wait(150)
    [old, whole] = items(hall, item.study_uid)
    assert (old.superseded_by, whole.incomplete) == (whole.id, None)


def test_a_short_one_that_was_stopped_is_begun_again(hall: Gateway) -> None:
    item = held(hall, *short())
    ask(hall, RequestAction.ANALYSE_SHORT, item.study_uid, item.id)
    [old] = items(hall, item.study_uid)
    ask(hall, RequestAction.CANCEL, item.study_uid, old.id)
    arrival = hall.flow.arrivals.reopen(item.study_uid)
    hall.flow.look_at(arrival)
    assert ask(hall, RequestAction.ANALYSE_SHORT, item.study_uid, item.id)[0]
    states = sorted(one.state for one in items(hall, item.study_uid))
    assert states == [WorkitemState.CANCELLED, WorkitemState.SCHEDULED]


def test_one_with_gaps_is_never_analysed(hall: Gateway) -> None:
    images = short()
    item = held(hall, *images[:2], *images[3:])
    done, said = ask(hall, RequestAction.ANALYSE_SHORT, item.study_uid, item.id)
    assert (done, item.reason.partition(", after")[0] in said) == (False, True)
    assert said.startswith("not analysed: only a series that is shorter than announced can be; ")


def test_one_of_two_patients_is_never_analysed(hall: Gateway) -> None:
    images = short(announced=6)
    for image in images[3:]:
        image.PatientID, image.PatientName = "OTHER", "Other^One"
    item = held(hall, *deepcopy(images))
    done, said = ask(hall, RequestAction.ANALYSE_SHORT, item.study_uid, item.id)
    assert (done, "hilum decide" in said) == (False, True)
    done, said = ask(hall, RequestAction.ANALYSE, item.study_uid, module="n")
    assert (done, "hilum decide" in said) == (False, True)
    assert [one.id for one in items(hall, item.study_uid)] == [item.id]


def test_what_is_not_held_is_not_short(hall: Gateway) -> None:
    uid = receive(hall, *contents("one"))
    [item] = items(hall, uid)
    assert ask(hall, RequestAction.ANALYSE_SHORT, uid, item.id) == (
        False,
        "not analysed: it is scheduled, not held",
    )


def test_the_middle_image_stands_for_its_series(hall: Gateway) -> None:
    study_uid = receive(hall, *reversed(mr_slices("t1", count=7)), *mr_slices("t2", count=5))
    [item, *_] = items(hall, study_uid)
    folder = hall.inbox.study_folder(study_uid)
    shown = [dcmread(folder / name) for name in item.siblings]
    assert sorted(one.InstanceNumber for one in shown) == [3, 4]
