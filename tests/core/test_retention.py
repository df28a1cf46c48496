"""What the retention rule removes, what it never touches, and what a removal must not cause."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from factory import OURS, a_delivery, a_result, a_workitem, as_own_result, mr_slices, put, write
from hilum.alarms import alarms_now
from hilum.alarms.log import AlarmLog
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.engine import exchange
from hilum.errors import RemovedError
from hilum.findings import Findings, Note
from hilum.housekeeping.retention import DAY, TURN_SECONDS, YOUNGEST, Retention
from hilum.inbox import Inbox, Intake
from hilum.inbox.removed import Removed
from hilum.inbox.room import with_room
from hilum.inbox.versions import Versions
from hilum.module import Input
from hilum.processes.hints import Stored
from hilum.records import Records, views
from hilum.records.models.patients import Correction
from hilum.records.states import DeliveryState, EventKind, WorkitemState
from hilum.sources import Listed
from hilum.study.arrival import Arrival
from hilum.study.arrivals import Arrivals
from hilum.study.assembly import Hold, NotApplicable, Run, Wait, decide
from hilum.study.workitems import Workitems
from hilum.watching.holdings import SiteHoldings
from hilum.wording import NOT_JUDGED_YET
from hilum_lab.disk import Mount, fill, filled

IMAGES = 45  # more than two batches
NEEDS = {"series": Input(modality="MR")}
RULE = Rule(module="m", give_up_seconds=60)


class House:
    """A data folder with records and the gateway's objects on it; `restart` makes them anew.

    Its clock is `now`, in s since 1970. How full the disk is, is all that is not real: `filled`.
    """

    def __init__(self, folder: Path, turn_seconds: float = TURN_SECONDS, **settings: Any) -> None:
        self.now = time.time()
        self.turn_seconds = turn_seconds
        self.filled: Callable[[Path], float] = lambda _: 0.0
        low_water = settings.pop("low_water_mb", 0)
        self.site = parse(
            {"data": folder, "receiver": {"low_water_mb": low_water}, "retention": settings}
        )
        self.inbox = Inbox(folder)
        self.records = Records(f"sqlite:///{folder}/hilum.db")
        self.restart()

    def restart(self) -> None:
        def clock() -> float:
            return self.now

        self.arrivals = Arrivals(self.inbox, self.records, OURS, clock)
        self.arrivals.sweep()
        self.workitems = Workitems(self.records, self.inbox, self.site.data, {}, {}, clock)
        self.retention = Retention(
            self.site,
            self.records,
            self.inbox,
            self.arrivals,
            self.workitems,
            OURS,
            clock=clock,
            turn_seconds=self.turn_seconds,
            filled=lambda folder: self.filled(folder),
        )

    def receive(self, files: list[Path], hints: bool = True) -> None:
        for file in files:
            stored = self.inbox.store(file.read_bytes())
            assert stored.outcome is Intake.STORED
            os.utime(stored.path, (self.now, self.now))
            if hints:
                self.arrivals.take(Stored(stored.path))

    def settle(self) -> list[Arrival]:
        """The gateway has decided on every open study."""
        arrivals = self.arrivals.due(float("inf"))
        for arrival in arrivals:
            self.arrivals.reviewed(arrival, None, 0.0)
        return arrivals

    def workitem(
        self, study_uid: str, state: WorkitemState, *deliveries: str, **values: Any
    ) -> Path:
        """A workitem of `study_uid` with the file of one result; the folder of that file."""
        workitem_id = values.pop("id", f"workitem of {study_uid}")
        about = {"id": workitem_id, "study_uid": study_uid, "created": self.now}
        put(self.records, a_workitem(**about, state=state, **values))
        for number, delivery in enumerate(deliveries):
            put(self.records, a_delivery(workitem_id, f"d{number}", state=DeliveryState(delivery)))
        folder = self.workitems.result_folder(workitem_id)
        folder.mkdir(parents=True)
        (folder / "sr.dcm").write_bytes(b"result")
        return folder

    def clean(self) -> None:
        """All that the rule asks for now, turn by turn."""
        self.retention.sweep()
        while self.retention.is_busy:
            self.retention.turn()

    def kept(self) -> list[Path]:
        return sorted(self.inbox.incoming.rglob("*.dcm"))

    def events(self, study_uid: str, kind: str) -> list[str]:
        return [e.text for e in self.records.events.of_kind(study_uid, EventKind(kind))]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data", days=30)
    yield house
    house.records.close()


@pytest.fixture
def hasty_house(tmp_path: Path) -> Iterator[House]:
    """One that has no time: each turn does one thing."""
    house = House(tmp_path / "data", days=30, turn_seconds=0.0)
    yield house
    house.records.close()


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(mr_slices(count=IMAGES, shape=(4, 4)), tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def study_uid(scan: list[Path]) -> str:
    return Instance.read(scan[0]).study_uid


def test_an_old_finished_study_goes_and_its_records_stay(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan)
    house.settle()
    results = house.workitem(study_uid, WorkitemState.COMPLETED, "verified", "cancelled")
    size = sum(path.stat().st_size for path in house.kept())
    house.now += 29 * DAY
    house.clean()
    assert len(house.kept()) == IMAGES
    house.now += 2 * DAY
    house.clean()
    assert house.kept() == []
    assert not results.exists()
    (text,) = house.events(study_uid, "removed")
    assert text.startswith(f"{IMAGES} images (")
    assert text.endswith("1 result: no news for more than 30 days")
    view = views.study(house.records, study_uid)
    assert view.images == IMAGES
    assert view.settled
    assert [item.state for item in view.workitems] == ["completed"]
    assert view.removed.images == IMAGES
    assert view.removed.bytes == size
    house.arrivals.sweep()
    house.clean()
    assert house.arrivals.due(float("inf")) == []
    assert len(house.events(study_uid, "removed")) == 1


@pytest.mark.parametrize(
    ("state", "deliveries"),
    [
        (WorkitemState.SCHEDULED, ()),
        (WorkitemState.RUNNING, ()),
        (WorkitemState.DELIVERING, ("verified", "delayed")),
        (WorkitemState.PARKED, ("refused",)),
        (WorkitemState.HELD, ()),
        (WorkitemState.COMPLETED, ("verified", "waiting")),
        (WorkitemState.WITHDRAWN, ("delayed",)),
        (WorkitemState.FAILED, ()),  # nobody was told
        (WorkitemState.FAILED, ("waiting",)),
    ],
)
def test_what_is_not_over_is_never_removed(
    tmp_path: Path,
    scan: list[Path],
    study_uid: str,
    state: WorkitemState,
    deliveries: tuple[str, ...],
) -> None:
    """Not even on a full disk."""
    house = House(tmp_path / "data", days=1, low_water_mb=1 << 40)
    house.receive(scan[:3])
    house.settle()
    house.workitem(study_uid, WorkitemState.COMPLETED, "verified", id="another")
    results = house.workitem(study_uid, state, *deliveries)
    house.now += 2 * DAY
    house.clean()
    assert len(house.kept()) == 3
    assert results.exists()
    house.records.close()


@pytest.mark.parametrize(
    ("state", "deliveries"),
    [
        (WorkitemState.NOT_APPLICABLE, ()),
        (WorkitemState.CANCELLED, ()),
        (WorkitemState.FAILED, ("verified",)),
        (WorkitemState.WITHDRAWN, ("verified", "cancelled")),
    ],
)
def test_what_is_over_goes(
    house: House,
    scan: list[Path],
    study_uid: str,
    state: WorkitemState,
    deliveries: tuple[str, ...],
) -> None:
    house.receive(scan[:3])
    house.settle()
    results = house.workitem(study_uid, state, *deliveries)
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []
    assert not results.exists()


def test_a_study_no_rule_wants_goes_but_not_one_that_no_rule_could_look_at(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan[:3])
    [arrival] = house.arrivals.due(float("inf"))
    arrival.reason = f"{NOT_JUDGED_YET}: the module m cannot be used"
    house.arrivals.reviewed(arrival, 3600.0, 0.0)
    house.now += 31 * DAY
    house.restart()
    house.filled = lambda _: 99.0
    house.clean()
    assert len(house.kept()) == 3, "also where the disk is full"
    house.settle()
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []


def test_what_is_parked_and_was_replaced_holds_nothing(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan[:3])
    house.settle()
    house.workitem(study_uid, WorkitemState.PARKED, "refused", superseded_by="new")
    house.workitem(study_uid, WorkitemState.COMPLETED, "verified", id="new")
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []


def test_the_only_copy_of_a_result_stays(house: House, scan: list[Path], study_uid: str) -> None:
    house.receive(scan[:3])
    house.settle()
    results = house.workitem(study_uid, WorkitemState.COMPLETED)  # no destination
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []
    assert results.exists()


def test_age_counts_from_the_last_proof_of_delivery(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan[:3])
    house.settle()
    house.workitem(study_uid, WorkitemState.COMPLETED, "verified")
    house.now += 31 * DAY
    (delivery,) = house.records.deliveries.of_workitem(f"workitem of {study_uid}")
    house.records.deliveries.arrive(delivery, DeliveryState.VERIFIED, "shown", house.now - 10 * DAY)
    house.clean()
    assert len(house.kept()) == 3


def test_on_a_full_disk_the_oldest_go_first_and_none_younger_than_an_hour(
    tmp_path: Path,
) -> None:
    """Here the disk is full until two studies are gone."""
    house = House(tmp_path / "data", days=0, disk_percent=80)
    uids = []
    for number in range(4):
        files = write(mr_slices(study=f"s{number}", count=2, shape=(4, 4)), tmp_path / str(number))
        house.receive(files)
        house.settle()
        uids.append(Instance.read(files[0]).study_uid)
        house.now += 2 * YOUNGEST
    house.filled = lambda _: 90.0 if len(house.kept()) > 4 else 70.0
    house.clean()
    gone = [uid for uid in uids if views.study(house.records, uid).removed]
    assert gone == uids[:2]
    assert house.events(uids[0], "removed")[0].endswith("the disk is 90 % full")
    house.filled = lambda _: 90.0
    house.now -= 4 * YOUNGEST  # as if the others had come within the last hour
    house.clean()
    gone = [uid for uid in uids if views.study(house.records, uid).removed]
    assert gone == uids[:2]
    house.records.close()


def test_little_is_done_in_one_turn(hasty_house: House, scan: list[Path]) -> None:
    house = hasty_house
    house.receive(scan)
    house.settle()
    house.now += 31 * DAY
    house.retention.sweep()
    counts = []
    while house.retention.is_busy:
        house.retention.turn()
        counts.append(len(house.kept()))
    assert sorted(set(counts), reverse=True) == [45, 25, 5, 0]


def test_a_removal_that_was_killed_goes_on_and_takes_nothing_that_came_since(
    hasty_house: House, scan: list[Path], study_uid: str
) -> None:
    house = hasty_house
    house.receive(scan[:44])
    house.settle()
    house.now += 31 * DAY
    house.retention.sweep()
    while len(house.kept()) == 44:
        house.retention.turn()
    listed = Removed.read(house.inbox.study_folder(study_uid)).images
    next(path for path in house.kept() if path.name not in listed).unlink()  # killed in a batch
    house.receive(scan[44:], hints=False)  # while nobody was there to take the hint
    house.restart()
    house.clean()
    late = house.inbox.path_of(study_uid, Instance.read(scan[44]).sop_instance_uid)
    assert house.kept() == [late]
    house.arrivals.sweep()
    (arrival,) = house.settle()
    assert len(arrival.removed) == 43  # the one that was deleted by nobody's rule is not among them
    (text,) = house.events(study_uid, "late")
    assert text.startswith("1 of 44 images are here, the others were removed before")


def test_images_that_come_while_the_study_is_removed_stop_it(
    hasty_house: House, scan: list[Path], study_uid: str
) -> None:
    house = hasty_house
    house.receive(scan[:44])
    house.settle()
    house.now += 31 * DAY
    house.retention.sweep()
    while len(house.kept()) == 44:
        house.retention.turn()
    house.receive(scan[44:])
    house.clean()
    assert len(house.kept()) == 25
    assert Removed.read(house.inbox.study_folder(study_uid)).begun is None
    (arrival,) = house.settle()
    assert (len(arrival.removed), arrival.images) == (20, 45)
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []


def removed_study(house: House, scan: list[Path]) -> None:
    house.receive(scan)
    house.settle()
    house.workitem(Instance.read(scan[0]).study_uid, WorkitemState.COMPLETED, "verified")
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []


@pytest.mark.parametrize("hints", [True, False])
def test_late_images_of_a_removed_study_are_not_run_alone(
    house: House, scan: list[Path], study_uid: str, hints: bool
) -> None:
    removed_study(house, scan[:40])
    house.receive(scan[40:], hints)
    house.arrivals.sweep()
    (arrival,) = house.arrivals.due(float("inf"))
    assert len(arrival.removed) == 40
    assert house.events(study_uid, "receiving")[-1].startswith("images come again, 40 of this")
    assert isinstance(decide(arrival, NEEDS, RULE, arrival.last + 59), Wait)
    decision = decide(arrival, NEEDS, RULE, arrival.last + 61)
    assert isinstance(decision, Hold)
    assert "5 of 45 images are here" in decision.reason
    other = decide(arrival, {"series": Input(modality="CT")}, RULE, arrival.last + 61)
    assert isinstance(other, NotApplicable)
    house.settle()
    assert views.study(house.records, study_uid).images == 45
    assert "send all of it again" in house.events(study_uid, "late")[0]
    house.arrivals.sweep()
    assert house.settle() == []


@pytest.mark.parametrize("hints", [True, False])
def test_a_removed_study_that_is_sent_again_is_whole_again(
    house: House, scan: list[Path], study_uid: str, hints: bool
) -> None:
    removed_study(house, scan)
    house.receive(scan, hints)
    house.arrivals.sweep()
    (arrival,) = house.arrivals.due(float("inf"))
    assert arrival.removed == set()
    decision = decide(arrival, NEEDS, RULE, arrival.last + 30)
    assert isinstance(decision, Run)
    (chosen,) = decision.selection.chosen["series"]
    assert {i.path.name for i in chosen.instances} == {p.name for p in house.kept()}
    house.settle()
    assert views.study(house.records, study_uid).removed is None
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []
    assert views.study(house.records, study_uid).removed.images == IMAGES


def test_a_source_holds_what_was_removed(house: House, scan: list[Path], study_uid: str) -> None:
    holdings = SiteHoldings(house.inbox, house.records)
    first = Instance.read(scan[0])
    listed = Listed("key", study_uid, first.series_uid, first.sop_instance_uid)
    assert not holdings.holds(listed)
    removed_study(house, scan)
    assert holdings.holds(listed)
    assert holdings.md5(listed) is None
    other = Listed("key", study_uid, first.series_uid, "1.2.3")
    assert not holdings.holds(other)


def test_own_results_that_came_back_go_too_and_need_not_be_sent_again(
    house: House, scan: list[Path], study_uid: str, tmp_path: Path
) -> None:
    result = mr_slices("result", count=1, shape=(4, 4))
    (own,) = write([as_own_result(result[0])], tmp_path / "result")
    house.receive([*scan[:3], own])
    house.settle()
    house.now += 31 * DAY
    house.clean()
    assert house.kept() == []
    house.receive(scan[:3])
    (arrival,) = house.settle()
    assert arrival.removed == set()
    house.now += 31 * DAY
    house.clean()
    house.receive([own])  # alone, after everything else is gone
    house.arrivals.sweep()
    assert house.settle() == []
    house.clean()
    assert house.kept() == []


def test_what_needs_the_files_says_that_they_are_gone(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan[:3])
    house.settle()
    names = [path.name for path in house.kept()]
    folder = house.workitem(
        study_uid, WorkitemState.COMPLETED, "verified", id="w", inputs={"series": names}
    )
    result = folder / "sr.dcm"
    put(house.records, a_result("w", path=result))
    delivery = house.records.deliveries.one("w", "d0")
    assert [sent.path for sent in house.workitems.results_for(delivery)] == [result]
    house.now += 31 * DAY
    house.clean()
    with pytest.raises(RemovedError, match=r"4 of its 4 files .* no news for more than 30 days"):
        house.workitems.results_for(delivery)


def test_the_quarantine_has_an_age_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path / "data", days=0, disk_percent=0, quarantine_days=0.000001)
    house.inbox.quarantine(b"odd", "not DICOM")
    house.now += 1
    house.clean()
    assert list(house.inbox.quarantine_folder.iterdir()) == []
    house.records.close()


def test_zero_means_never(tmp_path: Path, scan: list[Path]) -> None:
    house = House(tmp_path / "d", days=0, disk_percent=0, quarantine_days=0, low_water_mb=1 << 40)
    house.receive(scan[:3])
    house.inbox.quarantine(b"odd", "not DICOM")
    house.settle()
    house.now += 1000 * DAY
    house.clean()
    assert len(house.kept()) == 3
    assert len(list(house.inbox.quarantine_folder.iterdir())) == 2
    house.records.close()


def test_a_disk_that_is_quite_full_is_emptied(tmp_path: Path, small_disk: Mount) -> None:
    """Not a byte is left for the list of what is removed, nor for the records."""
    files = write(mr_slices(count=30, shape=(64, 64)), tmp_path / "scan")
    study_uid = Instance.read(files[0]).study_uid
    with small_disk(3) as disk:
        house = House(disk / "data", days=0, low_water_mb=1)
        house.receive(files)
        house.settle()
        house.now += 2 * YOUNGEST
        with filled(disk):
            with pytest.raises(OSError, match="No space left"):
                (disk / "more").write_bytes(b"x")
            house.clean()
            assert house.kept() == []
        assert not house.inbox.study_folder(study_uid).exists()
        assert len(Removed.read(house.inbox.study_folder(study_uid)).images) == 30
        assert not list(disk.rglob("*.part"))
        assert views.study(house.records, study_uid).removed.images == 30
        assert "% full" in house.events(study_uid, "removed")[0]
        house.records.close()


def test_results_are_written_when_there_is_room_and_leave_no_part_of_a_file(
    tmp_path: Path, small_disk: Mount
) -> None:
    findings = Findings((Note("a" * 100_000),))
    with small_disk(3) as disk:
        folder = disk / "results"
        folder.mkdir()
        ballast = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            exchange.save(findings, folder)
        with pytest.raises(OSError, match="No space left"):
            exchange.save_pictures({"1": np.zeros((300, 300))}, folder)
        assert [path.stat().st_size for path in folder.iterdir()] == []
        threading.Timer(0.5, ballast.unlink).start()
        with_room(disk, lambda: exchange.save(findings, folder))
        assert exchange.load(folder) == findings


def test_the_alarm_is_what_the_disk_says(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    small_disk: Mount,
) -> None:
    with small_disk(3) as disk:
        house = House(disk / "data", low_water_mb=1)
        began = house.now
        alarms = AlarmLog(house.site, house.records, lambda: began)
        alarms.check()
        assert alarms_now(house.site, house.records) == []
        with filled(disk):
            (alarm,) = alarms_now(house.site, house.records)
            assert "little room: 0 MiB are free on that of " in alarm.text
            assert (alarm.since, "1 are wanted" in alarm.text) == (None, True)
        (disk / "filler").write_bytes(bytes(2 << 20))
        for _ in range(3):
            alarms.check()
        AlarmLog(house.site, house.records, lambda: began + 60).check()  # by the next gateway
        (alarm,) = alarms_now(house.site, house.records)
        assert alarm.since == began
        assert "images are refused with 0xA700" in alarm.text
        config = tmp_path / "hilum.toml"
        config.write_text(f'data = "{disk}/data"\nreceiver.low_water_mb = 1\n')
        shown = CliRunner().invoke(app, ["status", "--config", str(config)], env={"COLUMNS": "999"})
        assert shown.stdout.startswith("alarm since 2")
        (disk / "filler").unlink()
        assert alarms_now(house.site, house.records) == []
        for _ in range(3):
            alarms.check()
        lines = [record.message for record in caplog.records if "alarm" in record.message]
        assert len(lines) == 2
        assert lines[0].startswith("alarm: the disk has too little room: 0 MiB are free on ")
        assert lines[1] == "the alarm is over: disk"
        house.records.close()


def test_corrected_patient_data_wait_for_a_person_and_go_with_their_study(
    house: House, scan: list[Path], study_uid: str
) -> None:
    house.receive(scan)
    house.settle()
    house.workitem(study_uid, WorkitemState.COMPLETED, "verified")
    versions = Versions(house.site.data)
    sent = house.site.data / "sent.dcm"
    sent.write_bytes(scan[0].read_bytes())
    versions.keep(sent, study_uid, "1.2.3", "a.dcm")
    house.records.corrections.note(Correction(study_uid, "1.2.3", 0.0, ("PACS",), is_open=True))
    house.now += 31 * 86400
    house.clean()
    assert len(house.kept()) == IMAGES
    house.records.corrections.dismiss(study_uid)
    house.clean()
    assert house.kept() == []
    assert versions.all_of(study_uid) == []
