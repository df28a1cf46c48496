"""A rule that cannot look at a study waits alone, and says whose fault that is."""

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from factory import OURS
from hilum.config.site import Rule, Site
from hilum.errors import MachineError
from hilum.module import Input
from hilum.records import views
from hilum.records.states import (
    EventKind,
    RequestAction,
    StudyState,
    StudyWait,
    WorkitemState,
)
from hilum.study.arrivals import Arrivals
from hilum.study.flow import Flow
from hilum.why.explanation import Cause
from hilum.why.question import explain
from tests.core.test_chosen import ask, items, receive
from tests.core.test_order_of_arrival import HELD, Gateway, Module, contents, gateway

LACK = MachineError("the module cannot be asked: see whether this machine has memory left")
NO_FILES = OSError(errno.EMFILE, "Too many open files")
ALSO = Rule(module="other", series={"SeriesDescription": "Hippo"}, give_up_seconds=20)


class Other(Module):
    """Is meant for the same images."""

    name = "other"
    lack: Exception | None = None

    @staticmethod
    def is_meant(_series: Any) -> str:
        if Other.lack:
            raise Other.lack
        return ""

    needs = Input("MR", slice_spacing=(0.5, 2.0), objection=is_meant)


@pytest.fixture
def hall() -> Iterator[Gateway]:
    with gateway(rule=(ALSO, HELD)) as made:
        yield made


def start(
    hall: Gateway, modules: dict[str, type[Module]], problems: dict[str, str], **settings: Any
) -> None:
    hall.flow._hints.close()
    site, name = Site(**dict(hall.flow.site) | settings), f"rules {next(hall.numbers)}"
    parts = (site, hall.records, modules, hall.clock, hall.engine, name, problems)
    hall.flow = Flow(*parts)  # type: ignore[arg-type]
    hall.flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)
    hall.flow.sweep()


def modules_of(hall: Gateway, uid: str) -> list[str]:
    return sorted(item.module for item in items(hall, uid))


def states_of(hall: Gateway, uid: str) -> tuple[StudyState | None, StudyWait | None]:
    """How a study stands in lists, and what it waits for."""
    listed, view = hall.records.search.of([uid])[uid], views.study(hall.records, uid)
    assert bool(view.obstacle) is (listed.state is StudyState.UNJUDGED)
    return listed.state, view.waits_for


def test_a_module_that_cannot_be_used_stops_no_other_rule(hall: Gateway) -> None:
    start(hall, {"m": Module}, {"other": "no package of that name"})
    uid = receive(hall, *contents("one"))
    assert modules_of(hall, uid) == ["m"]
    said = explain(hall.flow.site, hall.records, uid, hall.now)
    assert said.cause is Cause.UNJUDGED
    why = "the module other cannot be used: no package of that name"
    assert said.sentence == f"The study cannot be judged yet: {why}."
    assert [cure.command for cure in said.cures] == ["hilum modules", ""]
    assert states_of(hall, uid) == (StudyState.UNJUDGED, StudyWait.MODULE)
    assert [e.text for e in hall.records.events.of_kind(uid, EventKind.UNJUDGED)] == [
        f"cannot be judged yet: {why}"
    ]
    assert not hall.records.events.of_kind(uid, EventKind.UNREADABLE)
    assert hall.flow.arrivals.due(hall.now + 600) == [], "nothing is new until the next start"
    done, answer = ask(hall, RequestAction.RERUN, uid)
    assert (done, f"other waits: cannot be judged yet: {why}" in answer) == (True, True)
    start(hall, {"m": Module, "other": Other}, {})
    hall.wait(60)
    assert modules_of(hall, uid) == ["m", "other"]


def test_a_study_is_decided_on_without_a_rule_that_was_taken_out(hall: Gateway) -> None:
    """As the cure says."""
    start(hall, {"m": Module}, {"other": "no package of that name"})
    uid = receive(hall, *contents("one"))
    assert states_of(hall, uid) == (StudyState.UNJUDGED, StudyWait.MODULE)
    start(hall, {"m": Module}, {}, rule=(HELD,))
    hall.wait(60)
    assert states_of(hall, uid) == (StudyState.SCHEDULED, None)


def test_one_that_is_not_installed_is_told_as_that(hall: Gateway) -> None:
    start(hall, {"m": Module}, {})
    uid = receive(hall, *contents("one"))
    said = explain(hall.flow.site, hall.records, uid, hall.now)
    assert said.sentence.endswith("the module other cannot be used: it is not installed.")


@pytest.mark.parametrize("lack", [LACK, NO_FILES, MemoryError()], ids=["module", "files", "memory"])
def test_what_the_machine_lacks_is_no_fault_of_the_study(
    hall: Gateway, monkeypatch: pytest.MonkeyPatch, lack: Exception
) -> None:
    start(hall, {"m": Module, "other": Other}, {})
    monkeypatch.setattr(Other, "lack", lack)
    uid = receive(hall, *contents("one"))
    assert modules_of(hall, uid) == ["m"]
    said = explain(hall.flow.site, hall.records, uid, hall.now)
    assert said.cause is Cause.UNJUDGED
    assert said.sentence.startswith("The study cannot be judged just now: ")
    assert [cure.command for cure in said.cures] == ["hilum check"]
    assert not hall.records.events.of_kind(uid, EventKind.UNREADABLE)
    monkeypatch.setattr(Other, "lack", None)
    hall.wait(60)
    assert modules_of(hall, uid) == ["m", "other"]


def test_a_person_is_told_why_a_module_cannot_look(
    hall: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(hall, {"m": Module, "other": Other}, {})
    monkeypatch.setattr(Other, "lack", LACK)
    uid = receive(hall, *contents("one"))
    done, answer = ask(hall, RequestAction.ANALYSE, uid, module="other")
    assert (done, answer) == (False, f"not analysed: cannot be judged just now: {LACK}: ask again")


def test_what_failed_is_not_tried_again_without_its_module(hall: Gateway) -> None:
    start(hall, {"m": Module, "other": Other}, {})
    uid = receive(hall, *contents("one"))
    [failed] = [item for item in items(hall, uid) if item.module == "other"]
    hall.records.moves.set_state(failed.id, WorkitemState.FAILED, "it is broken")
    start(hall, {"m": Module}, {"other": "it is broken"})
    done, answer = ask(hall, RequestAction.RETRY, uid, failed.id)
    why = "the module other cannot be used: `hilum modules` says why"
    assert (done, answer) == (False, f"not done: {why}")
