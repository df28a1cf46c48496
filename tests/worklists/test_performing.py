"""Steps of a worklist are claimed once, performed, and ended with what is true, crashes or not."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from hilum.acts.pausing import kind_called, pause, resume
from hilum.acts.requests import obey
from hilum.cli import app
from hilum.config import parse
from hilum.config.kinds import WorklistSettings
from hilum.config.site import Rule
from hilum.dicom.header import read_header
from hilum.errors import ConfigurationError, SourceDelayed, SourceRefused
from hilum.kinds import WORKLISTS
from hilum.performing import Performer
from hilum.performing.asked import ASKS_OTHERWISE, NOT_FOR_US
from hilum.performing.keeping import RepeatedDeed
from hilum.performing.standing import WorklistLedger
from hilum.performing.table import SEEN_AS
from hilum.records.models.requests import Wish, WorklistStep
from hilum.records.models.standings import NotedPause, WorklistStanding
from hilum.records.states import (
    EventKind,
    PausedKind,
    RequestAction,
    StepState,
    WorkitemState,
    WorklistState,
)
from hilum.study.reviewing import Rules
from hilum.testing import check_worklist
from hilum.why.known import Known
from hilum.why.steps import of_steps
from hilum.why.study import of_study
from hilum.worklists import (
    ProcedureStepState,
    StepAnswer,
    Worklist,
    answer_of,
    attributes,
    open_worklist,
)
from hilum_lab.network.processes import available_port
from tests.core.test_chosen import OUT, items, receive, reopen, work
from tests.core.test_order_of_arrival import Death, Gateway, contents, gateway
from tests.patience import PATIENCE, until
from tests.worklists.dimse import by_dimse
from tests.worklists.manager import (
    CANCELED,
    COMPLETED,
    IN_PROGRESS,
    SCHEDULED,
    WorklistManager,
    by_http,
)

STEP, OTHER = "1.2.840.99.1", "1.2.840.99.2"


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[WorklistManager, str]]:
    manager = WorklistManager()
    with by_http(manager) as url:
        yield manager, url


@pytest.fixture
def manager(address: tuple[WorklistManager, str]) -> WorklistManager:
    manager, _ = address
    manager.__init__()  # type: ignore[misc]  # as empty as at first, at the same address
    return manager


class Hall:
    """A gateway, and a worklist that it works from."""

    def __init__(self, made: Gateway, url: str) -> None:
        self.made, self.flow, self.records = made, made.flow, made.records
        one = {"name": "ris", "kind": "ups-rs", "url": url, "modules": {"BRAIN^99T": "m"}}
        site = parse({"destination": [OUT], "worklist": [one]})
        self.settings: WorklistSettings = site.worklist[0]
        self.performer = self.restarted()

    def restarted(self, worklist: Any = None) -> Performer:
        return Performer(
            self.flow.site, self.records, self.settings, lambda: self.made.now, worklist
        )

    def turn(self) -> None:
        """The performer looks, and the gateway does what it is asked for."""
        self.performer.turn()
        obey(self.flow)

    def step(self, uid: str = STEP) -> WorklistStep:
        found = self.records.steps.get("ris", uid)
        assert found is not None
        return found

    def deliver(self, study_uid: str) -> None:
        """The worker and the outbox do their work."""
        for item in items(self.made, study_uid):
            if item.state is WorkitemState.SCHEDULED:
                work(self.made, item)
        for item in items(self.made, study_uid):
            if item.state is WorkitemState.DELIVERING:
                self.records.moves.set_state(item.id, WorkitemState.COMPLETED)

    def said(self, study_uid: str) -> list[str]:
        return [one.text for one in self.records.events.of_kind(study_uid, EventKind.WORKLIST)]


@pytest.fixture
def hall(address: tuple[WorklistManager, str], manager: WorklistManager) -> Iterator[Hall]:
    with gateway(rule=(), destination=[OUT]) as made:
        reopen(made)
        hall = Hall(made, address[1])
        yield hall
        hall.performer.close()


def why_not(hall: Hall, study_uid: str) -> list[str]:
    known = Known.of(hall.flow.site, hall.records, study_uid, hall.made.now)
    return [one.sentence for one in of_study(known)]


def test_a_step_is_performed(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    hall.turn()
    assert manager.state(STEP) == IN_PROGRESS
    assert manager.claims == [(STEP, hall.step().transaction_uid)]
    hall.turn()
    [item] = items(hall.made, uid)
    assert item.asked
    hall.deliver(uid)
    hall.turn()
    assert (manager.state(STEP), hall.step().state) == (COMPLETED, StepState.COMPLETED)
    [performed] = manager.steps[STEP].UnifiedProcedureStepPerformedProcedureSequence
    [code] = performed.PerformedWorkitemCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("BRAIN", "99T")
    named = {
        reference.ReferencedSOPInstanceUID
        for series in performed.OutputInformationSequence
        for reference in series.ReferencedSOPSequence
    }
    written = hall.records.results.of_workitem(item.id)
    assert named == {one.identity for one in written if one.media_type == "application/dicom"}
    assert named
    assert manager.progress == ["begins", "waits for a worker", ""]
    assert manager.refused == []
    assert hall.said(uid) == [
        "ris: asks for m",
        "ris: the step is ours: m analyses",
        "ris: the step is completed, and its results are named there",
    ]


def test_a_step_stays_scheduled_until_its_images_are_here(
    hall: Hall, manager: WorklistManager
) -> None:
    uid = str(contents_study())
    manager.schedule(STEP, uid)
    hall.turn()
    assert (manager.state(STEP), hall.step().state) == (SCHEDULED, StepState.WAITING)
    [why] = why_not(hall, uid)
    assert why.endswith("asks for m; the step is claimed once its images are here and it is ready.")
    assert receive(hall.made, *contents("one")) == uid
    hall.turn()
    assert manager.state(STEP) == IN_PROGRESS


def test_a_rule_whose_module_cannot_be_used_holds_up_no_step(
    hall: Hall, manager: WorklistManager
) -> None:
    rule = Rule(module="gone")
    hall.flow.rules = Rules([rule], hall.flow.needs, {}, hall.flow.workitems)
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    hall.turn()
    assert manager.state(STEP) == IN_PROGRESS
    hall.turn()
    assert [item.module for item in items(hall.made, uid)] == ["m"]


def contents_study() -> str:
    uids, *_ = read_header(contents("one")[0])
    return uids["StudyInstanceUID"]


def test_what_is_not_ready_or_asks_for_something_else_is_left_alone(
    hall: Hall, manager: WorklistManager
) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid, readiness="UNREADY")
    manager.schedule(OTHER, uid, code="KNEE")
    hall.turn()
    assert {manager.state(STEP), manager.state(OTHER)} == {SCHEDULED}
    assert hall.records.steps.get("ris", OTHER) is None


def test_another_performer_was_faster(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    worklist = open_worklist(hall.settings)

    class Late(type(worklist)):  # type: ignore[misc]
        def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
            manager.take(STEP, "1.2.3")
            return super().claim(uid, transaction_uid)

    hall.performer = hall.restarted(Late(hall.settings))
    hall.turn()
    assert manager.claims == [(STEP, "1.2.3")]
    assert hall.step().state is StepState.LOST
    hall.turn()
    assert items(hall.made, uid) == []
    assert hall.said(uid)[-1] == "ris: another performer has taken the step"


def changed(manager: WorklistManager, study_uid: str = "", code: str = "") -> None:
    """Whoever plans the step corrects it."""
    step = manager.steps[STEP]
    if study_uid:
        step.InputInformationSequence[0].StudyInstanceUID = study_uid
    if code:
        step.ScheduledWorkitemCodeSequence[0].CodeValue = code


@contextmanager
def asked_by(by: str, hall: Hall, manager: WorklistManager) -> Iterator[type[Any]]:
    """The hall's worklist, or that of the same manager by DIMSE, as a class to be opened."""
    with by_dimse(manager) as port:
        if by == "dimse":
            one = {"name": "ris", "kind": "ups", "port": port, "ae_title": "MANAGER"}
            [settings] = parse({"worklist": [{**one, "modules": {"BRAIN^99T": "m"}}]}).worklist
            hall.settings = settings
        yield type(open_worklist(hall.settings))


@pytest.mark.parametrize("by", ["http", "dimse"])
@pytest.mark.parametrize("when", ["before the look", "before the claim"])
def test_a_step_that_was_changed_is_performed_as_it_is_now(
    hall: Hall, manager: WorklistManager, when: str, by: str
) -> None:
    """Its first study was a mistake, of which there must be no result."""
    wrong, right = (receive(hall.made, *contents(name)) for name in ("one", "two"))

    with asked_by(by, hall, manager) as kind:

        class Late(kind):  # type: ignore[misc]
            def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
                changed(manager, right)
                return StepAnswer(super().claim(uid, transaction_uid))

        hall.performer = hall.restarted(kind(hall.settings))
        is_late = when == "before the claim"
        manager.schedule(STEP, wrong, readiness="READY" if is_late else "UNREADY")
        if is_late:
            hall.performer = hall.restarted(Late(hall.settings))
        else:
            hall.turn()
            changed(manager, right)
            manager.steps[STEP].InputReadinessState = "READY"
        hall.turn()
        hall.turn()
        hall.deliver(right)
        hall.turn()
    assert items(hall.made, wrong) == []
    assert (manager.state(STEP), hall.step().study_uid) == (COMPLETED, right)
    [performed] = manager.steps[STEP].UnifiedProcedureStepPerformedProcedureSequence
    assert {one.StudyInstanceUID for one in performed.OutputInformationSequence} == {right}
    assert hall.said(wrong) == ["ris: asks for m", f"ris: {ASKS_OTHERWISE}"]
    assert "ris: asks for m" in hall.said(right)


def test_a_step_that_asks_for_something_else_by_now_is_not_performed(
    hall: Hall, manager: WorklistManager
) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid, readiness="UNREADY")
    hall.turn()
    changed(manager, code="KNEE")
    manager.steps[STEP].InputReadinessState = "READY"
    hall.turn()
    hall.turn()
    assert manager.claims == [] and hall.step().reason == NOT_FOR_US
    assert hall.said(uid) == ["ris: asks for m", f"ris: {NOT_FOR_US}"]
    assert hall.step().problem == "", "it would be an alarm"
    [said] = of_steps(Known.of(hall.flow.site, hall.records, uid, hall.made.now))
    assert said.sentence == f"ris: {NOT_FOR_US}"
    changed(manager, code="BRAIN")  # and back again
    manager.steps[STEP].InputReadinessState = "UNREADY"
    hall.turn()
    assert hall.step().reason == ""
    manager.steps[STEP].InputReadinessState = "READY"

    class Late(type(open_worklist(hall.settings))):  # type: ignore[misc]
        def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
            changed(manager, code="KNEE")
            return StepAnswer(super().claim(uid, transaction_uid))

    hall.performer = hall.restarted(Late(hall.settings))
    hall.turn()
    assert manager.state(STEP) == CANCELED and items(hall.made, uid) == []
    [told] = manager.steps[STEP].ProcedureStepProgressInformationSequence
    assert told.ReasonForCancellation == NOT_FOR_US


def test_one_that_vanishes_before_it_is_ours(hall: Hall, manager: WorklistManager) -> None:
    manager.schedule(STEP, "1.2.3.4")
    hall.turn()
    del manager.steps[STEP]
    hall.turn()
    assert hall.step().state is StepState.LOST


def test_the_worklist_ends_a_step_that_is_ours(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    hall.turn()
    hall.turn()
    manager.steps[STEP].ProcedureStepState = CANCELED
    hall.turn()
    [item] = items(hall.made, uid)
    assert item.state is WorkitemState.CANCELLED
    assert hall.step().state is StepState.LOST
    assert hall.step().reason == "the worklist has ended the step: CANCELED"


def test_a_step_without_a_result_is_canceled_with_the_reason(
    hall: Hall, manager: WorklistManager
) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    hall.turn()
    hall.turn()
    [item] = items(hall.made, uid)
    hall.records.moves.cancel(item, "cancelled by a person")
    hall.turn()
    assert (manager.state(STEP), hall.step().state) == (CANCELED, StepState.CANCELED)
    [told] = manager.steps[STEP].ProcedureStepProgressInformationSequence
    assert told.ReasonForCancellation == "cancelled: cancelled by a person"


def test_what_cannot_be_analysed_is_canceled(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    hall.settings = hall.settings.model_copy(update={"modules": {"BRAIN^99T": "ct"}})
    hall.performer = hall.restarted()
    manager.schedule(STEP, uid)
    hall.turn()
    hall.turn()
    assert manager.state(STEP) == CANCELED
    assert hall.step().reason.startswith("not analysed: ")
    assert "asks for ct, and was told that there is no result: not ana" in why_not(hall, uid)[0]


def test_a_result_that_is_there_is_that_of_the_step(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    hall.records.requests.add(RequestAction.ANALYSE, "", "", uid, Wish(module="m"))
    obey(hall.flow)
    hall.deliver(uid)
    manager.schedule(STEP, uid)
    hall.turn()
    assert manager.state(STEP) == COMPLETED
    assert len(items(hall.made, uid)) == 1


def test_a_worklist_that_is_busy_is_told_later(hall: Hall, manager: WorklistManager) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    manager.busy = ["PUT"]
    with pytest.raises(SourceDelayed):
        hall.turn()
    assert hall.step().state is StepState.CLAIMING
    hall.turn()
    assert manager.claims == [(STEP, hall.step().transaction_uid)]
    hall.deliver(uid)
    manager.busy = ["PUT"]  # it has taken the outputs, and not the state
    with pytest.raises(SourceDelayed):
        hall.turn()
    assert hall.step().state is StepState.COMPLETING
    hall.turn()
    assert (manager.state(STEP), manager.busy) == (COMPLETED, [])


def test_images_are_fetched_first(hall: Hall, manager: WorklistManager) -> None:
    uid = contents_study()
    hall.settings = hall.settings.model_copy(update={"archive": "pacs"})
    hall.performer = hall.restarted()
    manager.schedule(STEP, uid)
    hall.turn()
    assert manager.state(STEP) == IN_PROGRESS
    [asked] = hall.records.requests.to_fetch()
    assert (asked.study_uid, asked.wish.archive) == (uid, "pacs")
    hall.records.requests.answer(asked.id, False, "not fetched: pacs does not have it")
    hall.turn()
    assert manager.state(STEP) == CANCELED
    assert hall.step().reason == "not fetched: pacs does not have it"


@pytest.fixture
def listening(hall: Hall, manager: WorklistManager) -> Iterator[Hall]:
    """Its step is being analysed, and it hears what the worklist tells."""
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    hall.turn()
    hall.turn()
    assert hall.performer.subscriptions.is_set(), "it is heard at once, not at the next look"
    ended: list[Exception] = []

    def listen() -> None:
        try:
            hall.performer.listen()
        except SourceDelayed as error:
            ended.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    until(lambda: manager.channels.get("HILUM"), "the channel")
    yield hall
    manager.channels["HILUM"].put("")
    thread.join()
    assert "its channel of events is closed" in str(ended[0])


def test_a_request_to_cancel_is_heeded(listening: Hall, manager: WorklistManager) -> None:
    hall, uid = listening, listening.step().study_uid
    assert manager.request_cancel(STEP) == 0
    assert hall.performer.news.wait(PATIENCE)
    assert hall.step().cancel_asked
    hall.turn()
    [item] = items(hall.made, uid)
    assert item.state is WorkitemState.CANCELLED
    hall.turn()
    assert manager.state(STEP) == CANCELED
    assert "Marker" not in "".join(hall.said(uid))


def test_a_request_to_cancel_may_come_too_late(listening: Hall, manager: WorklistManager) -> None:
    hall, uid = listening, listening.step().study_uid
    work(hall.made, items(hall.made, uid)[0])
    manager.request_cancel(STEP)
    assert hall.performer.news.wait(PATIENCE)
    hall.turn()
    hall.deliver(uid)
    hall.turn()
    assert manager.state(STEP) == COMPLETED
    late = "somebody at the worklist wants the step canceled, but the results are there already"
    assert f"ris: {late}" in hall.said(uid)


def test_a_request_to_cancel_that_came_in_a_pause_is_heeded(
    listening: Hall, kept: RepeatedDeed, manager: WorklistManager
) -> None:
    """In the pause the channel was closed, and opened again."""
    hall, uid = listening, listening.step().study_uid
    new = NotedPause(PausedKind.WORKLIST, "ris", hall.made.now, "ann", "an update")
    assert pause(hall.flow.site, hall.records, new)
    old = manager.channels.pop("HILUM")
    heard: list[str] = []
    hears = RepeatedDeed("events of ris", hall.performer.listen, threading.Event(), 10.0)
    thread = threading.Thread(target=lambda: hears.turn(lambda _state, why: heard.append(why)))
    thread.start()
    until(lambda: manager.channels.get("HILUM"), "the channel")
    assert manager.request_cancel(STEP) == 0
    assert hall.performer.news.wait(PATIENCE)
    manager.channels["HILUM"].put("")
    thread.join()
    manager.channels["HILUM"] = old
    assert "its channel of events is closed" in heard[0]
    kept.turn(noted(hall))
    assert manager.state(STEP) == IN_PROGRESS, "it is told nothing"
    resume(hall.flow.site, hall.records, PausedKind.WORKLIST, "ris")
    hall.turn()
    hall.turn()
    assert manager.state(STEP) == CANCELED
    assert [item.state for item in items(hall.made, uid)] == [WorkitemState.CANCELLED]


@contextmanager
def ups_of(manager: WorklistManager) -> Iterator[Worklist]:
    with by_dimse(manager) as port:
        one = {"name": "ris", "kind": "ups", "port": port, "ae_title": "MANAGER"}
        [settings] = parse({"worklist": [{**one, "modules": {"BRAIN^99T": "m"}}]}).worklist
        yield open_worklist(settings)


@pytest.mark.parametrize("delivered", [False, True])
@pytest.mark.parametrize("by", ["http", "dimse"])
def test_a_request_that_the_worklist_has_written_down_is_heeded(
    hall: Hall, manager: WorklistManager, by: str, delivered: bool
) -> None:
    """It came while we were down, so that nobody could be told."""
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    manager.writes_down = True
    hall.turn()
    hall.turn()
    if delivered:
        work(hall.made, items(hall.made, uid)[0])
    assert manager.request_cancel(STEP) == 0
    with ups_of(manager) if by == "dimse" else nullcontext(None) as worklist:
        hall.performer = hall.restarted(worklist)
        hall.turn()
        hall.turn()
        if delivered:
            hall.deliver(uid)
            hall.turn()
    assert manager.state(STEP) == (COMPLETED if delivered else CANCELED)
    asked = [line for line in hall.said(uid) if "wants the step canceled" in line]
    assert len(asked) == 1
    assert "Marker" not in "".join(hall.said(uid))


def test_a_channel_on_another_host_gets_no_login(hall: Hall) -> None:
    client = open_worklist(hall.settings)._client  # type: ignore[attr-defined]
    with pytest.raises(SourceRefused, match="its channel of events is elsewhere, at other"):
        next(client.told("ws://other/subscribers/HILUM", 1.0))


def test_the_command_asks_each_worklist(
    address: tuple[WorklistManager, str], manager: WorklistManager, tmp_path: Path
) -> None:
    config = tmp_path / "hilum.toml"
    one = f'[[worklist]]\nname = "ris"\nkind = "ups-rs"\nurl = "{address[1]}"\n'
    config.write_text(f'data = "{tmp_path}/data"\n{one}')
    asked = CliRunner().invoke(app, ["worklists", "--config", str(config)])
    said = "worklist ris (ups-rs)  not asked yet\n  answers UPS-RS\n"
    assert (asked.exit_code, asked.stdout) == (0, said)
    config.write_text(config.read_text().replace("/dicom-web", "/nothing"))
    asked = CliRunner().invoke(app, ["worklists", "--json", "--config", str(config)])
    [said] = json.loads(asked.stdout)
    assert (asked.exit_code, said["answers"], said["steps"]) == (1, False, [])
    assert "transaction" not in asked.stdout
    assert "ris: HTTP 404: there is no such service at that address: correct url" in said["answer"]


# Again and again ----------------------------------------------------------------------------------


@pytest.fixture
def kept(hall: Hall) -> Iterator[RepeatedDeed]:
    ledger = WorklistLedger(hall.records, "ris", lambda: hall.made.now)
    yield RepeatedDeed("worklist ris", hall.turn, threading.Event(), 10.0, ledger)


def noted(hall: Hall) -> Callable[[WorklistState, str], None]:
    return WorklistLedger(hall.records, "ris", lambda: hall.made.now).note


def standing(hall: Hall) -> WorklistStanding:
    return hall.records.worklists.all()["ris"]


def test_it_is_kept_since_when_a_worklist_cannot_be_worked_from(
    hall: Hall, kept: RepeatedDeed, manager: WorklistManager
) -> None:
    uid, note = receive(hall.made, *contents("one")), noted(hall)
    assert kept.turn(note) == 10.0
    began = hall.made.now
    assert standing(hall) == WorklistStanding("ris", WorklistState.REACHABLE, began)
    manager.schedule(STEP, uid)
    for _ in range(2):  # it is away for two looks
        hall.made.now += 10
        manager.busy = ["PUT"]
        kept.turn(note)
        assert standing(hall).state is WorklistState.UNREACHABLE
        assert standing(hall).since == began + 10
        assert "503" in standing(hall).problem
    kept.turn(note)
    assert standing(hall) == WorklistStanding("ris", WorklistState.REACHABLE, hall.made.now)
    assert manager.state(STEP) == IN_PROGRESS


def test_a_paused_worklist_is_asked_for_nothing_and_goes_on_where_it_was(
    hall: Hall, kept: RepeatedDeed, manager: WorklistManager
) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    kept.turn(noted(hall))
    site = parse({"destination": [OUT], "worklist": [hall.settings.model_dump()]})
    assert kind_called(site, "ris") is PausedKind.WORKLIST
    new = NotedPause(PausedKind.WORKLIST, "ris", hall.made.now, "ann", "an update")
    assert pause(hall.flow.site, hall.records, new) == (
        "ris is paused: none of its steps is claimed, and it is told nothing"
    )
    manager.schedule(OTHER, uid)
    for _ in range(3):
        kept.turn(noted(hall))
    hall.deliver(uid)
    assert (manager.state(STEP), manager.state(OTHER)) == (IN_PROGRESS, SCHEDULED)
    resume(hall.flow.site, hall.records, PausedKind.WORKLIST, "ris")
    for _ in range(3):
        kept.turn(noted(hall))
        hall.deliver(uid)
    assert (manager.state(STEP), manager.state(OTHER)) == (COMPLETED, COMPLETED)


# By DIMSE -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [0, 2])
def test_a_step_is_performed_by_dimse(hall: Hall, manager: WorklistManager, last: int) -> None:
    """Alive, or with a death after it was claimed and before anybody knew."""
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    with by_dimse(manager) as port:
        one = {"name": "ris", "kind": "ups", "port": port, "ae_title": "MANAGER"}
        site = parse({"worklist": [{**one, "modules": {"BRAIN^99T": "m"}}]})
        hall.settings = site.worklist[0]
        hall.performer = hall.restarted(Mortal(open_worklist(hall.settings), last, True))
        for _ in range(5):
            with suppress(Death):
                hall.turn()
            hall.performer = hall.restarted()
            hall.deliver(uid)
    assert (manager.state(STEP), hall.step().state) == (COMPLETED, StepState.COMPLETED)
    assert manager.claims == [(STEP, hall.step().transaction_uid)]
    [performed] = manager.steps[STEP].UnifiedProcedureStepPerformedProcedureSequence
    assert performed.OutputInformationSequence


def test_a_manager_that_is_away_is_asked_later() -> None:
    one = {"name": "ris", "kind": "ups", "port": available_port(), "timeout_seconds": PATIENCE}
    [settings] = parse({"worklist": [one]}).worklist
    answers, said = answer_of(settings)
    assert not answers
    assert said.startswith("ris: ")


def odd_state(vr: str, value: bytes) -> RawDataElement:
    """A state as no standard has it; pydicom raises something else for each."""
    return RawDataElement(BaseTag(0x00741000), vr, len(value), value, 0, False, True)


@pytest.mark.parametrize(("vr", "value"), [("FD", b"abcd"), ("ZZ", b"abcd"), ("SQ", b"junkjunk")])
def test_a_state_that_cannot_be_read_is_none(vr: str, value: bytes) -> None:
    ds = Dataset()
    ds[0x00741000] = odd_state(vr, value)
    assert attributes.standing_in(ds, STEP) is None
    ds = Dataset()
    ds[0x00741018] = odd_state(vr, value)._replace(tag=BaseTag(0x00741018))
    ds.SOPInstanceUID = STEP
    assert attributes.offered_in(ds) is None


def test_a_manager_that_tells_nonsense_by_dimse_is_refused_in_words(
    manager: WorklistManager,
) -> None:
    manager.schedule(STEP, "1.2.3")
    manager.steps[STEP][0x00741000] = odd_state("FD", b"abcd")
    with by_dimse(manager, ExplicitVRLittleEndian) as port:
        one = {"name": "ris", "kind": "ups", "port": port, "ae_title": "MANAGER"}
        worklist = open_worklist(parse({"worklist": [one]}).worklist[0])
        with pytest.raises(SourceRefused, match="ris answered the request for the step"):
            worklist.standing(STEP)


@pytest.mark.parametrize("kind", ["ups-rs", "ups"])
def test_the_contract(
    address: tuple[WorklistManager, str], manager: WorklistManager, kind: str
) -> None:
    with by_dimse(manager) as port:
        by_kind = {"ups-rs": {"url": address[1]}, "ups": {"port": port, "ae_title": "MANAGER"}}
        one = {"name": "ris", "kind": kind, **by_kind[kind]}
        [settings] = parse({"worklist": [one]}).worklist
        check_worklist(lambda: open_worklist(settings), manager.schedule, ("BRAIN", "99T"))


def test_every_kind_has_what_a_worklist_is_called_by() -> None:
    members = {name for name in vars(Worklist) if not name.startswith("_")}
    assert members <= set(WORKLISTS.members)


# Crashes ------------------------------------------------------------------------------------------


class Mortal:
    """A worklist whose caller dies at the `last` call: before it is made, or after its answer."""

    def __init__(self, worklist: Any, last: int, after: bool) -> None:
        self._worklist, self._left, self._after = worklist, last, after

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._worklist, name)

        def call(*words: Any) -> Any:
            self._left -= 1
            if not self._left and not self._after:
                raise Death
            answer = called(*words)
            if not self._left:
                raise Death
            return answer

        return call


CALLS = 9  # of the worklist, from the first look to the end of the step


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(1, CALLS + 1))
def test_whoever_dies_at_any_call_goes_on(
    hall: Hall, manager: WorklistManager, last: int, after: bool
) -> None:
    uid = receive(hall.made, *contents("one"))
    manager.schedule(STEP, uid)
    worklist = open_worklist(hall.settings)
    hall.performer = hall.restarted(Mortal(worklist, last, after))
    deaths = 0
    while manager.state(STEP) != COMPLETED or hall.records.steps.open_of("ris"):
        assert len(hall.said(uid)) < 20  # it goes on
        try:
            hall.turn()
        except Death:
            deaths += 1
            hall.performer = hall.restarted()
        hall.deliver(uid)
    assert deaths == 1
    assert (manager.state(STEP), hall.step().state) == (COMPLETED, StepState.COMPLETED)
    assert manager.claims == [(STEP, hall.step().transaction_uid)]
    assert len(items(hall.made, uid)) == 1
    [performed] = manager.steps[STEP].UnifiedProcedureStepPerformedProcedureSequence
    assert performed.OutputInformationSequence


# The table, and the settings ----------------------------------------------------------------------


def test_every_state_of_a_workitem_is_seen_as_one_of_a_step() -> None:
    assert set(SEEN_AS) == set(WorkitemState)
    finals = {state for state, (step, *_) in SEEN_AS.items() if step is not StepState.CLAIMED}
    assert finals == {state for state in WorkitemState if state.final}


def test_the_words_of_final_states_are_those_of_the_standard() -> None:
    for state in (ProcedureStepState.COMPLETED, ProcedureStepState.CANCELED):
        assert StepState(state.lower())


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"modules": {"BRAIN": "m"}}, "a code value and its scheme"),
        ({"send_to": ["owt"]}, "destination 'owt' is not defined, did you mean 'out'"),
        ({"archive": "owt"}, "archive 'owt' is neither a source nor a destination, did you mean"),
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any], text: str) -> None:
    one = {"name": "ris", "kind": "ups-rs", "url": "http://ris:8080"}
    with pytest.raises(ConfigurationError, match=text):
        parse({"destination": [OUT], "worklist": [{**one, **wrong}]})
