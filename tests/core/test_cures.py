"""Whatever a person asks for, in whatever state and whatever dies: one result stands, sent once.

A state machine over the real `Flow`, outbox and result objects, with two archives that listen for
real. The clock is the test's; the worker writes a result that is always the same.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from pydicom.dataset import Dataset

from hilum.config.kinds import DestinationSettings
from hilum.deciding import _end
from hilum.delivery.filing import FilingJudgement
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.engine import exchange
from hilum.findings import Findings, Note
from hilum.records.models.requests import Wish
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    ARRIVED,
    PARKED,
    DeliveryState,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.requests import obey
from hilum.results import SOP_CLASSES
from hilum.runs import withdrawal_uid
from hilum.withdrawing import RejectionNote
from hilum_lab.archives.behaviour import AE_TITLE, DimseBehaviour
from hilum_lab.archives.dimse import WELL, DimseArchive
from hilum_lab.network.processes import LOOPBACK, available_port
from tests.core.test_order_of_arrival import HELD, Death, Gateway, contents
from tests.drawn import examples

NAMES = ("a", "b")
ELSEWHERE = "c"  # where no rule sends anything
EVERYWHERE = (*NAMES, ELSEWHERE)
KINDS = (("sr",), ("sr", "pdf"), ("sr", "sc"), ("pdf",))
REFUSED = st.sampled_from((("DOC",), ("SR",), ("OT", "DOC"), ("OT", "SR"), ("KO",), ()))
DIES = st.none() | st.none() | st.integers(0, 12)
ASK = (
    RequestAction.RELEASE,
    RequestAction.RETRY,
    RequestAction.CANCEL,
    RequestAction.WITHDRAW,
    RequestAction.RERUN,
    RequestAction.SEND_ON,
)
AT = ((), *((name,) for name in EVERYWHERE), NAMES)
PAIRED = (*ASK, RequestAction.DECIDE)
# Usually every action is asked for before and after the decision, and before the next one.
PAIRS = [
    pytest.param(
        first,
        then,
        marks=()
        if RequestAction.DECIDE in (first, then) or then is ASK[(place + 1) % len(ASK)]
        else pytest.mark.whole,
    )
    for place, first in enumerate(PAIRED)
    for then in PAIRED
]


class Choosy(DimseArchive):
    """An archive that refuses some kinds of objects."""

    refused: frozenset[str] = frozenset()

    def _store(self, event: Any) -> int | Dataset:
        if event.dataset.Modality in self.refused:
            return 0xC000
        return super()._store(event)

    def clear(self) -> None:
        self.refused = frozenset()
        self.behaviour = WELL
        self.sent.clear()
        self.forget()

    def standing(self) -> set[str]:
        """What it holds that no note there takes back, by SOP Instance UID."""
        notes = [note for note in self.holds.values() if note.Modality == "KO"]
        rejected = {str(one) for note in notes for one in _named(note)}
        return {uid for uid, held in self.holds.items() if held.Modality != "KO"} - rejected


def _named(note: Dataset) -> Iterator[str]:
    for study in note.CurrentRequestedProcedureEvidenceSequence:
        for series in study.ReferencedSeriesSequence:
            for one in series.ReferencedSOPSequence:
                yield one.ReferencedSOPInstanceUID


@pytest.fixture(scope="module", autouse=True)
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    for name in EVERYWHERE:
        ARCHIVES[name] = Choosy(available_port())
        ARCHIVES[name].open()
    BEGINNING.append(Beginning.in_folder(tmp_path_factory.mktemp("cures")))
    yield
    BEGINNING.clear()
    for archive in ARCHIVES.values():
        archive.close()


ARCHIVES: dict[str, Choosy] = {}


class Hospital:
    """A gateway, what its settings want of each archive, and its worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wanted: dict[str, tuple[str, ...]] = dict.fromkeys(EVERYWHERE, ("sr", "pdf"))
        self.identity = ""  # of the patient under whom the images came again
        for archive in ARCHIVES.values():
            archive.clear()
        self.hall = self._open()

    def close(self) -> None:
        self.end()
        shutil.rmtree(self.folder)

    def _open(self) -> Gateway:
        rules = (HELD.model_copy(update={"send_to": NAMES}),)
        ends = tuple(map(self._settings, EVERYWHERE))
        return Gateway(self.folder, rule=rules, destination=ends)

    def end(self) -> None:
        self.hall.flow._hints.close()
        self.hall.records.close()

    def restart(self) -> None:
        """Hilum is started again, with the settings as they are now."""
        self.end()
        before, self.hall = self.hall, self._open()
        self.hall.engine.launched |= before.engine.launched
        self.hall.now = before.now
        self.hall.restart()

    def _settings(self, name: str) -> DestinationSettings:
        return DimseDestinationSettings(
            name=name,
            objects=self.wanted[name],
            host=LOOPBACK,
            port=ARCHIVES[name].port,
            ae_title=AE_TITLE,
        )

    @contextmanager
    def mortal(self, dies_after: int | None) -> Iterator[None]:
        """It dies after so many transactions, and is started again."""
        self.hall.records.transactions_left = dies_after
        try:
            yield
        except Death:
            self.restart()
        finally:
            self.hall.records.transactions_left = None

    def work(self) -> None:
        """What the workers do with whatever waits for them."""
        for item in self.items():
            if item.state is WorkitemState.SCHEDULED and self.hall.flow.begin(item.id):
                self.hall.records.moves.set_state(item.id, WorkitemState.RUNNING)
                found = Findings((Note("Something was found."),))
                exchange.save(found, self.hall.flow.workitems.result_folder(item.id))
                self.hall.flow.write(item.id)

    def deliver(self, name: str) -> None:
        """Make every attempt that is due at one archive."""
        [destination] = [d for d in self.hall.flow.site.destination if d.name == name]
        while self.hall.flow.outbox.deliver_next(destination) == 0:
            pass

    def quiet(self) -> None:
        """All archives take everything; all that is owed by itself arrives."""
        for archive in ARCHIVES.values():
            archive.refused = frozenset()
        for _ in range(3):
            obey(self.hall.flow)
            self.hall.wait(30)
            self.work()
            self.hall.now += 3600
            for name in EVERYWHERE:
                self.deliver(name)

    def items(self) -> list[Workitem]:
        return self.hall.items("one")

    def ask(self, number: int, action: RequestAction, at: tuple[str, ...] = ()) -> None:
        """Ask for something; to release something only `at` these destinations, () for all."""
        items = self.items()
        item = items[number % len(items)]
        reason = self.identity if action is RequestAction.DECIDE else "because"
        wish = Wish(destinations=at if action is RequestAction.RELEASE else (ELSEWHERE,))
        self.hall.records.requests.add(action, item.id, reason, item.study_uid, wish)

    def parked(self) -> set[tuple[str, str]]:
        """What waits for a person: workitem and destination."""
        of = self.hall.records.deliveries.parked_of
        return {(item.id, one.destination) for item in self.items() for one in of(item.id)}

    def correct(self) -> None:
        """An archive files the study under another patient, whom a person may decide for."""
        there = Dataset()
        there.PatientID = "CORRECTED"
        [item] = self.items()
        found = FilingJudgement("filed under another patient", correct=there)
        assert "hilum decide" in self.hall.flow.corrections.offer_filed(item, found, "a")
        [sent] = self.hall.records.corrections.open_ones()
        self.identity = sent.identity
        for image in self.hall.flow.corrections.versions.all_of(item.study_uid):
            os.utime(image, (self.hall.now, self.hall.now))

    def answers(self) -> list[str]:
        """What was answered to everything that was asked for."""
        requests = self.hall.records.requests
        found = []
        number = 1
        while True:
            try:
                found.append(requests.one(number).answer or "")
            except LookupError:
                return found
            number += 1

    def check(self) -> None:
        """One result stands at each archive, in one variant, and nothing was sent twice."""
        results = self.hall.records.results
        for name, archive in ARCHIVES.items():
            standing = archive.standing() - self._refused_notes(name)
            stands = {results.called(uid).workitem_id for uid in standing}
            assert len(stands) <= 1, self.story()
            for item_id in stands:
                assert self.hall.records.workitems.one(item_id).state is not WorkitemState.WITHDRAWN
                delivery = self.hall.records.deliveries.one(item_id, name)
                variant = results.of_variant(item_id, delivery.variant)
                assert standing <= {r.identity for r in variant}, self.story()
            assert self._arrived(name) <= standing, self.story()
            assert set(archive.sent.values()) <= {1}, self.story()

    def _refused_notes(self, name: str) -> set[str]:
        """What stands at an archive that has refused the note about it: a person has to act."""
        records = self.hall.records
        return {
            result.identity
            for item in self.items()
            for sent in records.deliveries.of_workitem(withdrawal_uid(item.id))
            if sent.destination == name and sent.state in PARKED
            for result in records.results.of_workitem(item.id)
        }

    def _arrived(self, name: str) -> set[str]:
        """What stands at an archive, as Hilum says."""
        records = self.hall.records
        found = set()
        for item in self.items():
            for delivery in records.deliveries.of_workitem(item.id):
                stands = item.is_run and item.state is not WorkitemState.WITHDRAWN
                if stands and delivery.destination == name and delivery.state in ARRIVED:
                    variant = records.results.of_variant(item.id, delivery.variant)
                    found |= {result.identity for result in variant}
        return found

    def story(self) -> str:
        study_uid = self.items()[0].study_uid
        events = self.hall.records.events.of_study(study_uid)
        return "\n".join(f"{e.workitem_id[-6:]} {e.kind}: {e.text}" for e in events)


class Beginning(NamedTuple):
    """What every hospital begins with: a study was analysed, and its result is sent nowhere yet."""

    place: Path  # of the hospitals, one after the other
    copy: Path  # of what the first one held
    now: float
    launched: dict[str, str]

    @classmethod
    def in_folder(cls, folder: Path) -> "Beginning":
        """Have the study analysed, once for all tests."""
        place = folder / "hospital"
        place.mkdir()
        first = Hospital(place)
        for image in contents("one"):
            first.hall.receive(image, "a")
        first.hall.wait(30)
        first.work()
        first.end()
        copy = shutil.move(place, folder / "copy")
        return cls(place, copy, first.hall.now, first.hall.engine.launched)

    def hospital(self) -> Hospital:
        """Another one that goes on from here."""
        shutil.copytree(self.copy, self.place)
        made = Hospital(self.place)
        made.hall.now = self.now
        made.hall.engine.launched |= self.launched
        made.hall.restart()
        return made


BEGINNING: list[Beginning] = []


def begun() -> Hospital:
    """The beginning of a test."""
    [beginning] = BEGINNING
    return beginning.hospital()


@examples(3, 30, stateful_step_count=12, suppress_health_check=list(HealthCheck))
class Cures(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.hospital = begun()

    def teardown(self) -> None:
        try:
            self.hospital.quiet()
            self.hospital.check()
        finally:
            self.hospital.close()

    @rule(name=st.sampled_from(EVERYWHERE), refused=REFUSED, dies_after=DIES)
    def deliver(self, name: str, refused: tuple[str, ...], dies_after: int | None) -> None:
        ARCHIVES[name].refused = frozenset(refused)
        self.hospital.hall.now += 10
        with self.hospital.mortal(dies_after):
            self.hospital.deliver(name)

    @rule(name=st.sampled_from(EVERYWHERE), kinds=st.sampled_from(KINDS))
    def change_settings(self, name: str, kinds: tuple[str, ...]) -> None:
        self.hospital.wanted[name] = kinds
        self.hospital.restart()

    @rule(
        number=st.sampled_from((0, 0, 1, 2)),
        action=st.sampled_from(ASK),
        at=st.sampled_from(AT),
        dies_after=DIES,
    )
    def ask(
        self, number: int, action: RequestAction, at: tuple[str, ...], dies_after: int | None
    ) -> None:
        before = self.hospital.parked()
        is_alone = not self.hospital.hall.records.requests.waiting()  # of one that died before
        self.hospital.ask(number, action, at)
        with self.hospital.mortal(dies_after):
            obey(self.hospital.hall.flow)
            self.hospital.work()
        if action is RequestAction.RELEASE and at and is_alone:
            elsewhere = {one for one in before if one[1] not in at}
            assert elsewhere <= self.hospital.parked(), self.hospital.story()

    @rule()
    def come_to_rest(self) -> None:
        self.hospital.quiet()
        self.hospital.check()


TestCures = Cures.TestCase


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    made = begun()
    yield made
    made.close()


@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_any_two_requests_about_what_was_half_taken(
    hospital: Hospital, first: RequestAction, then: RequestAction
) -> None:
    """Both archives take the report and refuse the PDF; one is to receive a picture instead."""
    for name in NAMES:
        ARCHIVES[name].refused = frozenset({"DOC"})
        hospital.deliver(name)
    hospital.wanted["a"] = ("sc",)
    hospital.restart()
    hospital.correct()
    for action in (first, then):
        hospital.ask(0, action)
        obey(hospital.hall.flow)
    hospital.quiet()
    hospital.check()
    if RequestAction.DECIDE in (first, then):
        assert any(answer.startswith("decided; ") for answer in hospital.answers())
        for name, archive in ARCHIVES.items():
            patients = {archive.holds[uid].PatientID for uid in archive.standing()}
            assert patients in ({"CORRECTED"}, set() if name == ELSEWHERE else None)


def test_what_is_taken_back_waits_for_nobody(hospital: Hospital) -> None:
    """One archive has refused it, and the other has never shown it."""
    ARCHIVES["a"].refused = frozenset({"DOC", "SR"})
    ARCHIVES["b"].behaviour = DimseBehaviour(keeps=False)
    for _ in range(20):
        for name in NAMES:
            hospital.deliver(name)
        hospital.hall.now += 1800
    records = hospital.hall.records.deliveries
    assert set(records.studies_in(*PARKED)) == {"a", "b"}
    for archive in ARCHIVES.values():
        archive.behaviour = WELL
    hospital.ask(0, RequestAction.WITHDRAW)
    hospital.quiet()
    assert records.studies_in(*PARKED) == {}
    assert all(d.state.settled for i in hospital.items() for d in records.of_workitem(i.id))
    hospital.check()


def test_a_release_sends_what_the_settings_want_today(hospital: Hospital) -> None:
    """The SR is refused, the PDF is taken: without "sr" in `objects` nothing is left to send."""
    archive = ARCHIVES["a"]
    archive.refused = frozenset({"SR"})
    hospital.deliver("a")
    hospital.deliver("b")
    [item] = hospital.items()
    assert (item.state, item.reason) == (WorkitemState.PARKED, "a (refused)")
    hospital.wanted["a"] = ("pdf",)
    hospital.restart()
    hospital.ask(0, RequestAction.RELEASE)
    obey(hospital.hall.flow)
    text = "released; it goes to a; a receives pdf, as its settings want it now"
    assert hospital.answers() == [text]
    hospital.deliver("a")
    assert hospital.items()[0].state is WorkitemState.COMPLETED
    assert [held.Modality for held in archive.holds.values()] == ["DOC"]
    hospital.check()


def test_a_release_at_one_destination_leaves_what_is_parked_elsewhere(hospital: Hospital) -> None:
    for name in NAMES:
        ARCHIVES[name].refused = frozenset({"DOC", "SR"})
        hospital.deliver(name)
        ARCHIVES[name].refused = frozenset()
    hospital.ask(0, RequestAction.RELEASE, (ELSEWHERE,))
    hospital.ask(0, RequestAction.RELEASE, ("a",))
    obey(hospital.hall.flow)
    assert hospital.answers() == [
        "not released: it is parked, and nothing of it is parked at c",
        "released; it goes to a",
    ]
    for name in NAMES:
        hospital.deliver(name)
    assert {name: len(ARCHIVES[name].holds) for name in NAMES} == {"a": 2, "b": 0}
    [item] = hospital.items()
    assert (item.state, item.reason) == (WorkitemState.PARKED, "b (refused)")
    hospital.ask(0, RequestAction.RELEASE)
    hospital.quiet()
    assert hospital.items()[0].state is WorkitemState.COMPLETED
    hospital.check()


def test_a_release_takes_back_what_the_settings_no_longer_want(hospital: Hospital) -> None:
    """The PDF is refused, the SR is taken; then only a picture is wanted, and then the SR again."""
    archive = ARCHIVES["a"]
    archive.refused = frozenset({"DOC", "OT"})
    for kinds, said in ((("sc",), "a note takes back the sr of before"), (("sr", "sc"), "")):
        hospital.deliver("a")
        hospital.wanted["a"] = kinds
        hospital.restart()
        hospital.ask(0, RequestAction.RELEASE)
        obey(hospital.hall.flow)
        answer = hospital.answers()[-1]
        if said:
            assert answer.endswith(said)
    assert answer.startswith("not released: a note has taken its sr back at a, which cannot be und")
    hospital.wanted["a"] = ("sc",)  # as it tells
    hospital.restart()
    archive.refused = frozenset()
    hospital.ask(0, RequestAction.RELEASE)
    hospital.quiet()
    assert hospital.answers()[-1] == "released; it goes to a"
    assert sorted(held.Modality for held in archive.holds.values()) == ["KO", "OT", "SR"]
    assert {archive.holds[uid].Modality for uid in archive.standing()} == {"OT"}
    hospital.check()


def test_what_was_cancelled_half_sent_is_taken_back_before_it_is_tried_again(
    hospital: Hospital,
) -> None:
    for archive in ARCHIVES.values():
        archive.refused = frozenset({"DOC"})
    for name in NAMES:
        hospital.deliver(name)
    hospital.ask(0, RequestAction.CANCEL)
    hospital.ask(0, RequestAction.RETRY)
    hospital.quiet()
    old, new = (item.state for item in hospital.items() if item.is_run)
    assert (old, new) == (WorkitemState.WITHDRAWN, WorkitemState.COMPLETED)
    assert "a part of it may have arrived" in hospital.answers()[0]
    hospital.check()


@pytest.mark.parametrize("action", [RequestAction.CANCEL, RequestAction.WITHDRAW])
def test_a_note_is_not_stopped_or_taken_back(hospital: Hospital, action: RequestAction) -> None:
    hospital.deliver("a")
    hospital.ask(0, RequestAction.WITHDRAW)
    obey(hospital.hall.flow)
    hospital.ask(1, action)
    hospital.quiet()
    assert hospital.answers()[-1].startswith("not ")
    assert ARCHIVES["a"].standing() == set()
    hospital.check()


@pytest.mark.parametrize("status", [0xA770, 0xA774])
def test_a_note_that_an_archive_does_not_need_waits_for_nobody(
    hospital: Hospital, status: int
) -> None:
    """A person has rejected the result there already."""
    hospital.deliver("a")
    hospital.deliver("b")
    ARCHIVES["a"].behaviour = DimseBehaviour(statuses={SOP_CLASSES["ko"]: status})
    hospital.ask(0, RequestAction.WITHDRAW)
    hospital.quiet()
    [note] = [item for item in hospital.items() if item.kind is WorkitemKind.WITHDRAWAL]
    assert note.state is WorkitemState.COMPLETED
    assert "nothing is left to do" in hospital.story()
    assert ARCHIVES["b"].standing() == set()
    assert set(ARCHIVES["a"].sent.values()) == {1}


def test_what_another_run_has_replaced_is_not_released(hospital: Hospital) -> None:
    for archive in ARCHIVES.values():
        archive.refused = frozenset({"DOC", "SR"})
    for name in NAMES:
        hospital.deliver(name)
    [item] = hospital.items()
    newer = hospital.hall.flow.workitems.repeated(item, hospital.hall.now, "more images came")
    hospital.hall.records.workitems.schedule(newer, [])
    hospital.ask(0, RequestAction.RELEASE)
    hospital.quiet()
    assert hospital.answers() == [f"not released: {newer.id} has replaced it"]
    hospital.check()


def test_what_is_cancelled_for_one_destination_is_told_in_the_trace(hospital: Hospital) -> None:
    hospital.deliver("a")
    hospital.ask(0, RequestAction.CANCEL)
    hospital.quiet()
    assert "b: cancelled by a person" in hospital.story()
    [b] = [
        d
        for d in hospital.hall.records.deliveries.of_workitem(hospital.items()[0].id)
        if d.destination == "b"
    ]
    assert b.state is DeliveryState.CANCELLED
    hospital.ask(0, RequestAction.CANCEL)
    obey(hospital.hall.flow)
    assert hospital.answers()[-1] == (
        "not cancelled: nothing of it is still to be sent; `hilum withdraw` takes it back from a"
    )


def test_what_no_note_can_reach_is_rejected_in_the_archive_itself(hospital: Hospital) -> None:
    """As the answer to `hilum decide` tells: then nothing of it stands or comes again."""
    hospital.deliver("a")
    [item] = hospital.items()
    for image in hospital.hall.flow.workitems.images(item):
        image.unlink()
    told = _end(hospital.hall.flow, item, {}, RejectionNote(hospital.hall.now, "Another patient."))
    assert told.endswith("no longer here for a note: reject it in the archive itself")
    ARCHIVES["a"].holds.clear()
    hospital.ask(0, RequestAction.RETRY)
    hospital.ask(0, RequestAction.RELEASE)
    hospital.quiet()
    assert [answer[:4] for answer in hospital.answers()] == ["not ", "not "]
    assert ARCHIVES["a"].holds == ARCHIVES["b"].holds == {}
