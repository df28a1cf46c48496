"""What a person pauses waits, loses nothing, and goes on; what is beside it does not wait."""

from contextlib import closing
from pathlib import Path

import pytest

from factory import put
from hilum.config import parse
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.destinations.folder import FolderDestinationSettings
from hilum.errors import HilumError
from hilum.hints import Asked, HintReceiver, Resumed, gateway_address, wake_address
from hilum.pausing import LONGEST_REASON, kind_called, pause, reason_of, resume, waiting_for
from hilum.records import Records, views
from hilum.records.copies import Copies, Keeper
from hilum.records.models.standings import NotedPause
from hilum.records.restoring import put_pauses_back
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    PausedKind,
    RequestAction,
    WorkitemState,
)
from hilum.requests import retry
from hilum.why.question import explain
from hilum.withdrawing import RejectionNote, take_back
from hilum_lab.archives.behaviour import WebBehaviour
from hilum_lab.archives.dicomweb import DicomwebArchive
from tests.core.test_order_of_arrival import HELD, contents, gateway
from tests.core.test_outbox import HOUR, Desk
from tests.core.test_withdrawing import send, written

DESTINATION, SOURCE, MODULE = PausedKind.DESTINATION, PausedKind.SOURCE, PausedKind.MODULE


def a_pause(kind: PausedKind, name: str, since: float = 1e9) -> NotedPause:
    return NotedPause(kind, name, since, "ann", "new disks")


@pytest.fixture
def archive():
    archive = DicomwebArchive()
    archive.open()
    yield archive
    archive.close()


@pytest.fixture
def desk(tmp_path: Path, archive: DicomwebArchive):
    web = DicomwebDestinationSettings(name="pacs", url=archive.url)
    desk = Desk(tmp_path, web, FolderDestinationSettings(name="out", folder=tmp_path / "out"))
    yield desk
    desk.records.close()


def test_a_paused_destination_is_left_alone_and_the_others_go_on(
    desk: Desk, archive: DicomwebArchive
) -> None:
    uid = desk.owe("a", "pacs", "out")
    assert desk.records.pauses.begin(a_pause(DESTINATION, "pacs"))
    archive.close()  # a call would show that it is away
    while desk.now < 1e9 + HOUR:
        assert desk.turn(0) > 0
    desk.turn(1)
    states = {d.destination: d.state for d in desk.records.deliveries.of_workitem("a")}
    assert states == {"pacs": DeliveryState.WAITING, "out": DeliveryState.VERIFIED}
    [view, _] = views.destinations(desk.site, desk.records)
    assert (view.state, view.problem) == (DestinationState.UNKNOWN, "")
    assert view.paused and (view.paused.person, view.paused.reason) == ("ann", "new disks")

    said = explain(desk.site, desk.records, "1.2", desk.now)
    assert "pacs has been paused since" in said.sentence and "by ann: new disks" in said.sentence
    assert [cure.command for cure in said.cures] == ["hilum resume pacs --kind destination"]

    archive.open()
    assert desk.records.pauses.end(DESTINATION, "pacs", desk.now)
    desk.turn(0)
    assert dict(archive.sent) == {uid: 1}
    assert desk.state("a") == "completed"


def test_the_time_of_a_pause_is_not_the_time_to_show_a_result(
    desk: Desk, archive: DicomwebArchive
) -> None:
    archive.behaviour = WebBehaviour(lag_seconds=1e12)
    desk.owe("a", "pacs")
    desk.turn(0)
    assert desk.delivery("a").state is DeliveryState.ASKED
    desk.records.pauses.begin(a_pause(DESTINATION, "pacs", desk.now))
    desk.now += 10 * HOUR
    desk.records.pauses.end(DESTINATION, "pacs", desk.now)
    desk.turn(0)
    assert desk.delivery("a").state is DeliveryState.ASKED
    desk.now += 2 * HOUR
    desk.turn(0)
    assert desk.delivery("a").state is DeliveryState.NOT_SHOWN


def test_the_module_waits_and_what_began_is_finished() -> None:
    with gateway(rule=(HELD,)) as hall:
        hall.records.pauses.begin(a_pause(MODULE, "m"))
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(150)
        [item] = hall.items("one")
        assert item.state is WorkitemState.SCHEDULED
        assert hall.engine.launched == {}
        said = explain(hall.flow.site, hall.records, item.study_uid, hall.clock())
        assert "that module has been disabled since" in said.sentence
        assert [cure.command for cure in said.cures] == ["hilum modules enable m"]
        hall.records.pauses.end(MODULE, "m", hall.clock())
        hall.flow.sweep()
        assert list(hall.engine.launched.values()) == [item.id]
        assert hall.flow.begin(item.id)
        hall.records.pauses.begin(a_pause(MODULE, "m"))
        assert not hall.flow.begin(item.id), "another worker had taken it before"
        hall.records.moves.set_state(item.id, WorkitemState.RUNNING, "m runs")
        assert hall.flow.begin(item.id), "its worker died, another one finishes it"


def test_a_withdrawal_waits_too_and_the_answer_says_so() -> None:
    with written(out={}) as (hall, item):
        hall.records.pauses.begin(a_pause(DESTINATION, "out"))
        asked = hall.records.requests.one(
            hall.records.requests.add(RequestAction.RETRY, item.id, "")
        )
        delayed = hall.records.deliveries.of_workitem(item.id)[0]
        hall.records.deliveries.delay(delayed, "it is full", hall.clock() + 60)
        assert "out is paused, so it waits" in retry(hall.flow, item, asked).text
        send(hall, item, "out")
        answer = take_back(hall.flow, item, RejectionNote(hall.clock(), "wrong side"))
        assert answer.done
        assert answer.text.startswith("withdrawn; a note goes to out; out is paused, so it waits")
        assert waiting_for(hall.records, ["other"]) == ""


def test_pauses_are_for_what_the_settings_define(tmp_path: Path) -> None:
    site = parse(
        {
            "data": str(tmp_path),
            "destination": [
                {"name": name, "kind": "folder", "folder": "out"} for name in ("both", "out")
            ],
            "source": [{"name": "both", "kind": "orthanc", "url": "http://127.0.0.1:1"}],
        }
    )
    assert kind_called(site, "out") is DESTINATION
    with pytest.raises(HilumError, match="add `--kind destination` or `--kind source`"):
        kind_called(site, "both")
    assert kind_called(site, "both", SOURCE) is SOURCE
    with pytest.raises(HilumError, match=r"no source called 'out'"):
        kind_called(site, "out", SOURCE)
    with pytest.raises(HilumError, match=r"no destination, source or worklist called 'ouT'.*'out'"):
        kind_called(site, "ouT")
    for text, problem in (("  ", "say the reason"), ("x" * (LONGEST_REASON + 1), "too long")):
        with pytest.raises(HilumError, match=problem):
            reason_of(text)
    assert reason_of(" new\n disks ") == "new disks"


@pytest.mark.parametrize(("kind", "hint"), [(DESTINATION, Resumed()), (SOURCE, Asked())])
def test_each_begin_and_end_counts_once_and_is_told(
    tmp_path: Path, kind: PausedKind, hint: Asked | Resumed
) -> None:
    site = parse({"data": str(tmp_path)})
    address = wake_address(tmp_path, "pacs") if kind is SOURCE else gateway_address(tmp_path)
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        closing(HintReceiver(address)) as hints,
    ):
        with pytest.raises(HilumError, match="pacs is not paused"):
            resume(site, records, kind, "pacs")
        for _ in range(2):
            pause(site, records, a_pause(kind, "pacs"))
            with pytest.raises(HilumError, match="pacs is paused already by ann: new disks"):
                pause(site, records, a_pause(kind, "pacs"))
            resume(site, records, kind, "pacs")
        assert len([one for _ in range(4) for one in hints.receive(5)][:4]) == 4
        assert records.pauses.all() == []
        assert records.pauses.ended(kind).keys() == {"pacs"}


def test_recovered_records_know_what_was_paused(tmp_path: Path) -> None:
    known = a_pause(DESTINATION, "pacs")
    with closing(Records(f"sqlite:///{tmp_path}/old.db")) as records:
        records.pauses.begin(known)
        put(records)
        Keeper(records.database.transact, tmp_path).follow()
    with closing(Records(f"sqlite:///{tmp_path}/new.db")) as records:
        records.database.transact(lambda c: put_pauses_back(c, Copies(tmp_path).pauses))
        assert records.pauses.all() == [known]
