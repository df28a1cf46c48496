"""The outbox, hours and days of it: the clock is the test's, the archives listen for real."""

from math import inf
from pathlib import Path
from typing import ClassVar

import pytest
from pydicom.dataset import Dataset

from factory import a_delivery, a_result, a_workitem, mr_slices, put, write
from hilum.config.kinds import DestinationSettings
from hilum.config.site import Site
from hilum.delivery.handover import SHORTEST_LAG_SECONDS
from hilum.delivery.standings import ANYWAY_SECONDS, EAGER_ATTEMPTS
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.dicom.instance import Instance
from hilum.inbox import Inbox
from hilum.records import tables, views
from hilum.records.deliveries import HEAD_START_SECONDS
from hilum.records.models.deliveries import Delivery
from hilum.records.states import DeliveryState, WorkitemState
from hilum.results import Result
from hilum.study import outbox as module
from hilum.study.outbox import Outbox
from hilum.study.workitems import Workitems
from hilum.why.deliveries import of_deliveries
from hilum.why.known import Known
from hilum_lab.archives.behaviour import EVERY, WebBehaviour
from hilum_lab.archives.dicomweb import WELL, DicomwebArchive
from tests.core.test_order_of_arrival import Mortal

HOUR = 3600.0
FULL, REFUSES = (WebBehaviour(reasons={EVERY: reason}) for reason in (0xA700, 0xC000))
DROPS = WebBehaviour(keeps=False)
LAGS = WebBehaviour(lag_seconds=inf)
HANGS_UP = WebBehaviour(drop_first=1000)
BROKEN = WebBehaviour(stow_status=503, qido_status=503)
DEAF = WebBehaviour(call_status=503)  # takes, and answers all but the call


class InOrderSettings(DicomwebDestinationSettings):
    """An archive in which what comes later takes the place of what came before."""

    in_order: ClassVar[bool] = True


def planned(desk: "Desk", study_uid: str) -> list[str]:
    """What the trace says is tried again."""
    lines = views.trace(desk.records, study_uid, desk.site.in_order)
    return [line.text for line in lines if line.kind == "next"]


def release(desk: "Desk", name: str) -> None:
    """As a person does."""
    item = desk.records.workitems.one(name)
    assert desk.records.moves.release(item, ["pacs"], "released", desk.now)


class Desk:
    """An outbox with workitems of one result each, and a clock that jumps."""

    def __init__(self, folder: Path, *destinations: DestinationSettings) -> None:
        self.folder = folder
        self.now = 1e9
        self.records = Mortal(f"sqlite:///{folder}/hilum.db")
        self.site = Site(data=folder, destination=destinations)
        workitems = Workitems(self.records, Inbox(folder), folder, {}, {})
        self.outbox = Outbox(
            self.site,
            self.records,
            workitems,
            clock=lambda: self.now,
            read_back_pauses=(0.0, 0.01),
        )

    def owe(self, name: str, *destinations: str, study: str = "1.2") -> str:
        """A workitem called `name` whose only result goes to `destinations`; the UID of that."""
        [path] = write(mr_slices(name, count=1), self.folder / "results" / name)
        uid = Instance.read(path).sop_instance_uid
        item = a_workitem(id=name, study_uid=study, state=WorkitemState.DELIVERING)
        put(self.records, item)
        put(self.records, a_result(name, identity=uid, variant="all", path=path))
        for destination in destinations:
            put(self.records, self.outbox.owed(name, destination, "all", images=False))
        return uid

    def owe_file(self, name: str, result: Result) -> None:
        """A workitem called `name` of study 1.2; its only result goes to the first destination.

        That is no DICOM object. What is owed next was made a second later.
        """
        destination = self.site.destination[0]
        put(self.records, a_workitem(id=name, study_uid="1.2", state=WorkitemState.DELIVERING))
        of_file = {"kind": result.kind, "media_type": result.media_type, "sop_class_uid": ""}
        made = a_result(name, identity=result.identity, variant="all", path=result.path, **of_file)
        put(self.records, made)
        put(self.records, self.outbox.owed(name, destination.name, "all", images=False))
        self.now += 1

    def turn(self, number: int = 0) -> float:
        """One turn of a destination, and the clock goes on as long as it wants to wait."""
        pause = self.outbox.deliver_next(self.site.destination[number])
        self.now += pause
        return pause

    def state(self, name: str) -> str:
        return self.records.workitems.one(name).state

    def delivery(self, name: str) -> Delivery:
        (delivery,) = self.records.deliveries.of_workitem(name)
        return delivery


@pytest.fixture
def archive():
    archive = DicomwebArchive()
    archive.open()
    yield archive
    archive.close()


@pytest.fixture
def desk(tmp_path: Path, archive: DicomwebArchive):
    desk = Desk(tmp_path, DicomwebDestinationSettings(name="pacs", url=archive.url))
    yield desk
    desk.records.close()


def test_an_urgent_result_goes_first_and_nobody_waits_for_ever(desk: Desk) -> None:
    def first() -> str:
        owed = desk.records.deliveries.first_due("pacs", desk.now)
        return owed.workitem_id if owed else ""

    desk.owe("usual", "pacs")
    desk.now += 60
    desk.owe("urgent", "pacs")
    assert first() == "usual"
    urgent = tables.delivery.update().values(urgent=True)
    change = urgent.where(tables.delivery.c.workitem_id == "urgent")
    desk.records.database.transact(lambda connection: connection.execute(change))
    assert first() == "urgent"
    later = tables.delivery.update().values(owed_at=desk.now + HEAD_START_SECONDS)
    change = later.where(tables.delivery.c.workitem_id == "urgent")
    desk.records.database.transact(lambda connection: connection.execute(change))
    assert first() == "usual", "it has waited long enough"


def test_an_outage_of_hours_costs_one_attempt(desk: Desk, archive: DicomwebArchive) -> None:
    uids = {desk.owe(name, "pacs") for name in "abc"}
    archive.close()
    began = desk.now
    while desk.now - began < 20 * 60:  # every three seconds
        desk.turn()
    desk.now += 7 * HOUR
    [view] = views.destinations(desk.site, desk.records)
    assert (view.state, view.deliveries) == ("unreachable", {"delayed": 1, "waiting": 2})
    assert "cannot be reached" in view.problem
    assert planned(desk, "1.2") == [
        f"attempt {n} at pacs, as soon as it answers" for n in (2, 1, 1)
    ]

    archive.open()
    back = desk.now
    while (pause := desk.turn()) == 0:
        pass
    assert desk.now - pause - back <= module.CALL_AGAIN_SECONDS
    assert set(archive.holds) == uids
    assert set(archive.sent.values()) == {1}
    assert [desk.state(name) for name in "abc"] == ["completed"] * 3
    assert desk.delivery("a").attempts == 2
    assert views.destinations(desk.site, desk.records)[0].state == "reachable"


@pytest.mark.parametrize("behaviour", ["full", "asks us to wait"])
def test_a_clock_that_is_set_back_delays_nothing(
    desk: Desk, archive: DicomwebArchive, behaviour: str
) -> None:
    uid = desk.owe("a", "pacs")
    waits = WebBehaviour(busy_first=1000, retry_after="1700")
    archive.behaviour = FULL if behaviour == "full" else waits
    while desk.delivery("a").attempts < 3:
        desk.turn()
    archive.behaviour = WELL
    desk.now -= 10 * HOUR
    back = desk.now
    while desk.state("a") == "delivering":
        assert desk.now - back < HOUR
        desk.turn()
    assert (desk.state("a"), set(archive.holds)) == ("completed", {uid})


def test_what_it_cannot_take_now_is_tried_for_days(desk: Desk, archive: DicomwebArchive) -> None:
    uid = desk.owe("a", "pacs")
    archive.behaviour = FULL
    began = desk.now
    while desk.now - began < 48 * HOUR:
        desk.turn()
        desk.now += 300
    attempts = desk.delivery("a").attempts
    assert 75 < attempts < 110  # every half an hour in the end
    assert "out of resources" in desk.delivery("a").reason
    archive.behaviour = WELL
    while desk.state("a") == "delivering":
        desk.turn()
        desk.now += 300
    assert desk.now - began < 49 * HOUR
    assert (desk.state("a"), set(archive.holds)) == ("completed", {uid})


def test_one_that_cannot_be_taken_holds_up_no_other(desk: Desk, archive: DicomwebArchive) -> None:
    desk.owe("first", "pacs")
    archive.behaviour = FULL
    desk.turn()
    archive.behaviour = WELL
    desk.owe("second", "pacs")
    desk.turn()
    assert [desk.state(name) for name in ("first", "second")] == ["delivering", "completed"]


@pytest.mark.parametrize("behaviour", [FULL, LAGS])
def test_where_order_counts_nothing_overtakes_within_a_study(
    tmp_path: Path, archive: DicomwebArchive, behaviour: WebBehaviour
) -> None:
    desk = Desk(tmp_path, InOrderSettings(name="record", url=archive.url))
    desk.owe("first", "record")
    archive.behaviour = behaviour
    desk.turn()
    archive.behaviour = WELL if behaviour is FULL else LAGS
    desk.now += 0.5
    second = desk.owe("second", "record")
    other = desk.owe("other", "record", study="1.3")
    desk.turn()
    assert archive.sent[other] == 1, "another study waits for nobody"
    pause = desk.outbox.deliver_next(desk.site.destination[0])
    assert pause > 0, "there is nothing to do until the first one is due"
    first, waits = planned(desk, "1.2")
    assert "earlier results" not in first
    assert waits == (
        "record gets it once the earlier results and notes of this study have arrived there, are"
        " parked or cancelled"
    )
    assert "earlier results" not in "".join(planned(desk, "1.3"))
    known = Known.of(desk.site, desk.records, "1.2", desk.now)
    said = of_deliveries(known, desk.records.workitems.one("second"), "the result")
    assert said.sentence == f"the result is on its way: {waits}"
    assert archive.sent[second] == 0
    archive.behaviour = WELL
    while "delivering" in map(desk.state, ("first", "second", "other")):
        desk.turn()
    assert archive.sent[second] == 1
    arrivals = [desk.delivery(name).verified_at or inf for name in ("first", "second")]
    assert arrivals == sorted(arrivals)
    desk.records.close()


def test_what_is_parked_keeps_nothing_back_where_order_counts(
    tmp_path: Path, archive: DicomwebArchive
) -> None:
    desk = Desk(tmp_path, InOrderSettings(name="record", url=archive.url))
    desk.owe("first", "record")
    archive.behaviour = REFUSES
    desk.turn()
    archive.behaviour = WELL
    desk.owe("second", "record")
    desk.turn()
    assert [desk.state(name) for name in ("first", "second")] == ["parked", "completed"]
    desk.records.close()


@pytest.mark.parametrize(("asked", "pause"), [("600", 600.0), ("864000", 1800.0)])
def test_one_that_asks_us_to_wait_is_left_alone_and_is_not_unreachable(
    desk: Desk, archive: DicomwebArchive, asked: str, pause: float
) -> None:
    archive.open(WebBehaviour(busy_first=2, qido_status=503, retry_after=asked))
    uids = {desk.owe(name, "pacs") for name in "ab"}
    assert desk.turn() == 0, "it has answered"
    assert f"asks us to wait {pause:.0f} s; again in {pause:.0f} s" in desk.delivery("a").reason
    assert views.destinations(desk.site, desk.records)[0].state != "unreachable"
    archive.asked = 0
    assert desk.turn() == pause, "the other result waits, too"
    assert archive.asked == 0
    archive.open()
    while desk.turn() == 0:
        pass
    assert set(archive.holds) == uids


def test_a_refusal_is_parked_until_a_person_releases_it(
    desk: Desk, archive: DicomwebArchive
) -> None:
    desk.owe("a", "pacs")
    archive.behaviour = REFUSES
    desk.turn()
    assert desk.state("a") == "parked"
    assert "cannot understand the object" in desk.delivery("a").reason
    assert not desk.delivery("a").reason.startswith("pacs: "), "its name stands beside it"
    desk.now += 100 * HOUR
    desk.turn()
    assert archive.sent.total() == 1  # nothing happens by itself


def test_what_was_accepted_and_is_not_shown_is_only_asked_for(
    desk: Desk, archive: DicomwebArchive
) -> None:
    uid = desk.owe("a", "pacs")
    archive.behaviour = DROPS
    began = desk.now
    while desk.state("a") == "delivering":
        desk.turn()
    assert archive.sent == {uid: 1}
    assert 1 * HOUR < desk.now - began < 2 * HOUR
    assert archive.asked < 40  # after pauses that grow
    assert desk.delivery("a").state is DeliveryState.NOT_SHOWN
    assert "`hilum release` asks once more" in desk.delivery("a").reason
    kinds = [event.kind for event in desk.records.events.of_study("1.2")]
    assert kinds == ["asked", "not shown", "parked"]  # each said once
    desk.now += 1000 * HOUR
    desk.turn()
    assert archive.sent == {uid: 1}

    archive.behaviour = WELL
    release(desk, "a")
    while desk.state("a") == "delivering":
        desk.turn()
    assert (archive.sent, desk.state("a")) == ({uid: 2}, "completed")


def test_what_is_shown_late_is_sent_once(desk: Desk, archive: DicomwebArchive) -> None:
    uid = desk.owe("a", "pacs")
    archive.behaviour = LAGS
    for _ in range(6):
        desk.turn()
    assert desk.state("a") == "delivering"
    archive.behaviour = WELL
    desk.turn()
    assert (archive.sent, desk.state("a")) == ({uid: 1}, "completed")
    assert desk.records.destinations.all()["pacs"].lag_seconds > 10


def test_a_release_asks_before_it_sends(desk: Desk, archive: DicomwebArchive) -> None:
    uid = desk.owe("a", "pacs")
    archive.behaviour = LAGS
    while desk.state("a") == "delivering":
        desk.turn()
    archive.behaviour = WELL
    release(desk, "a")
    desk.turn()
    assert (archive.sent, desk.state("a")) == ({uid: 1}, "completed")


def test_only_the_setting_lets_it_be_sent_again_by_itself(
    tmp_path: Path, archive: DicomwebArchive
) -> None:
    settings = DicomwebDestinationSettings(name="pacs", url=archive.url, resend_after=600)
    desk = Desk(tmp_path, settings)
    uid = desk.owe("a", "pacs")
    archive.behaviour = DROPS
    began = desk.now
    while archive.sent.total() == 1 or not archive.sent:
        desk.turn()
    assert desk.now - began > 600
    archive.behaviour = WELL
    archive.hold(Instance.read(next(desk.folder.glob("results/a/*"))).header, WELL)
    while desk.state("a") == "delivering":
        desk.turn()
    assert (archive.sent, desk.state("a")) == ({uid: 2}, "completed")
    desk.records.close()


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_got_no_answer_is_asked_for_first(
    desk: Desk, archive: DicomwebArchive, is_kept: bool
) -> None:
    uid = desk.owe("a", "pacs")
    archive.behaviour = HANGS_UP
    desk.turn()
    if not is_kept:
        archive.holds.clear()
    archive.behaviour = WELL
    began = desk.now
    while desk.state("a") == "delivering":
        desk.turn()
    assert (archive.sent, desk.state("a")) == ({uid: 1 if is_kept else 2}, "completed")
    assert is_kept or desk.now - began >= SHORTEST_LAG_SECONDS


@pytest.mark.parametrize("behaviour", [WELL, DROPS])
def test_what_nobody_can_prove_is_called_accepted(
    tmp_path: Path, archive: DicomwebArchive, behaviour: WebBehaviour
) -> None:
    settings = DicomwebDestinationSettings(name="pacs", url=archive.url, proof="accepted")
    desk = Desk(tmp_path, settings)
    uid = desk.owe("a", "pacs")
    archive.behaviour = behaviour
    desk.turn()
    assert desk.delivery("a").state is DeliveryState.ACCEPTED
    item = desk.records.workitems.one("a")
    assert (item.state, item.reason) == ("completed", "accepted by pacs, not proven")
    assert (archive.sent, archive.asked) == ({uid: 1}, 0)
    desk.records.close()


def test_what_arrived_before_a_crash_is_not_sent_again(
    desk: Desk, archive: DicomwebArchive
) -> None:
    desk.owe("a", "pacs")
    archive.hold(Instance.read(next(desk.folder.glob("results/a/*"))).header, WELL)
    desk.turn()
    assert (archive.sent, desk.state("a")) == ({}, "completed")


def test_a_proxy_without_its_archive_is_unreachable_too(
    desk: Desk, archive: DicomwebArchive
) -> None:
    desk.owe("a", "pacs")
    archive.behaviour = BROKEN
    assert desk.turn() == module.CALL_AGAIN_SECONDS
    assert views.destinations(desk.site, desk.records)[0].state == "unreachable"
    asked = archive.asked
    desk.turn()
    assert archive.asked == asked + 1  # called, and nothing attempted


def test_an_archive_that_answers_no_call_is_not_unreachable_for_ever(
    desk: Desk, archive: DicomwebArchive
) -> None:
    desk.owe("a", "pacs")
    archive.behaviour = BROKEN
    desk.turn()
    archive.behaviour = DEAF  # takes results, and has no answer to a call
    began = desk.now
    while desk.state("a") == "delivering":
        desk.turn()
    assert desk.now - began < ANYWAY_SECONDS + 2 * module.CALL_AGAIN_SECONDS
    assert desk.delivery("a").attempts == 2
    assert views.destinations(desk.site, desk.records)[0].state == "reachable"


def test_a_death_before_the_last_line_is_made_good(desk: Desk) -> None:
    """The delivery says how it ended, the workitem does not yet: the sweep settles it."""
    ends = {"a": DeliveryState.VERIFIED, "b": DeliveryState.REFUSED, "c": DeliveryState.WAITING}
    for name, ended in ends.items():
        desk.owe(name)
        put(desk.records, a_delivery(name, state=ended, reason="because"))
        for _ in range(2):
            desk.outbox.settle(name)
    assert [desk.state(name) for name in "abc"] == ["completed", "parked", "delivering"]
    assert len(desk.records.events.of_study("1.2")) == 2  # each said once


def test_what_goes_nowhere_is_not_called_verified(desk: Desk) -> None:
    desk.owe("kept")
    desk.outbox.settle("kept")
    desk.owe("cancelled")
    put(desk.records, a_delivery("cancelled", state=DeliveryState.CANCELLED, reason="because"))
    desk.outbox.settle("cancelled")
    reasons = [desk.records.workitems.one(name).reason for name in ("kept", "cancelled")]
    assert reasons == [
        "it stays here: no destination is to have it",
        "it stays here: its deliveries were cancelled",
    ]


def test_what_brings_the_archive_down_is_not_hurried_for_ever(
    desk: Desk, archive: DicomwebArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.owe("deadly", "pacs")
    desk.owe("good", "pacs")
    take = archive.take
    deadly = Instance.read(next(desk.folder.glob("results/deadly/*"))).sop_instance_uid

    def take_or_die(body: bytes, content_type: str) -> tuple[int, Dataset]:
        if deadly.encode() in body:
            archive.behaviour = BROKEN
            return 503, Dataset()
        return take(body, content_type)

    monkeypatch.setattr(archive, "take", take_or_die)
    for _ in range(40):
        desk.turn()
        archive.behaviour = WELL  # somebody starts it again
    assert desk.state("good") == "completed"
    assert desk.delivery("deadly").attempts <= EAGER_ATTEMPTS + 3


def test_a_destination_that_is_gone_from_the_settings_is_parked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.owe("a", "former")
    desk.outbox.start()
    assert desk.state("a") == "parked"
    assert "define it" in desk.delivery("a").reason
    desk.records.close()
