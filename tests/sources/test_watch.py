"""What a watch makes of an Orthanc: nothing is lost, nothing comes twice, whatever happens."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from sqlalchemy.exc import OperationalError

from factory import a_result, put
from hilum.dicom.instance import Instance
from hilum.processes.hints import Counted, Duplicate, Quarantined, Released, Stored
from hilum.records import Records
from hilum.records.models.standings import NotedPause, SourceStanding
from hilum.records.states import PausedKind
from hilum.transport.web import HttpClient, Response
from hilum.watching import PAUSED_SECONDS
from hilum.watching.fetching import Pace
from tests.archives import Orthanc
from tests.destinations.test_failures import silent_listener
from tests.patience import until
from tests.sources.watching import Watching, uids, upload, watching
from tests.synthetic import write_series


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One for all tests that do it no harm."""
    settings = {"OverwriteInstances": True}
    with Orthanc(tmp_path_factory.mktemp("orthanc"), settings=settings) as running:
        yield running


def arrived(watch: Watching, files: list[Path]) -> None:
    watch.until(lambda: watch.received() >= uids(files), f"{len(files)} images")


def test_a_new_image_is_fetched_as_it_is_and_told(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 4)
    sent = Instance.read(files[0])
    with watching(tmp_path / "site", orthanc) as watch:
        assert watch.received() == set()
        upload(orthanc, files)
        arrived(watch, files)
        watch.until(lambda: watch.told(Released), "the release")
        assert watch.received() == uids(files)
        kept = {path.read_bytes() for path in watch.inbox.incoming.rglob("*.dcm")}
        assert kept == {path.read_bytes() for path in files}
        stored = watch.told(Stored)
        assert isinstance(watch.hints[0], Counted)
        counted = watch.told(Counted)[0]
        assert (counted.study, counted.series) == (sent.study_uid, sent.series_uid)
        assert watch.told(Counted)[-1].images == 4
        assert {hint.association for hint in stored} == {watch.told(Released)[-1].association}
        assert watch.row.state == "reachable"


def test_the_same_by_dicomweb(orthanc: Orthanc, tmp_path: Path) -> None:
    """Without a feed: studies of today are compared when their number of instances changes."""
    files = write_series(tmp_path / "scan", 3, StudyDate=f"{date.today():%Y%m%d}")
    url = orthanc.dicomweb_url
    watch = Watching(tmp_path / "site", url, kind="dicomweb", poll_seconds=0.1)
    try:
        watch.settle()
        watch.begin()
        upload(orthanc, files[:2])
        arrived(watch, files[:2])
        upload(orthanc, files[2:])
        arrived(watch, files)
        watch.until(lambda: watch.told(Released), "the release")
        assert watch.received() == uids(files)
        assert watch.told(Counted)[-1].images == 3
        assert len(watch.told(Stored)) == 3
        watch.restart()
        watch.settle()
        assert len(watch.told(Stored)) == 3
    finally:
        watch.close()


def test_a_paused_source_is_left_alone_and_misses_nothing(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 4)
    with watching(tmp_path / "site", orthanc) as watch:
        assert watch.records.pauses.begin(NotedPause(PausedKind.SOURCE, "pacs", 1e9, "ann", "busy"))
        upload(orthanc, files)
        assert [watch.turn() for _ in range(3)] == [PAUSED_SECONDS] * 3
        assert watch.received() == set()
        watch.restart()
        assert watch.turn() == PAUSED_SECONDS, "a restart does not end a pause"
        assert watch.records.pauses.end(PausedKind.SOURCE, "pacs", 2e9)
        arrived(watch, files)
        watch.until(lambda: watch.told(Released), "the release")
        assert len(watch.told(Stored)) == 4


class Death(BaseException):
    """The process is gone."""


class Dying(Records):
    """Dies where the cursor would be written after a fetch."""

    deaths = 0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._inbox = Path(url.removeprefix("sqlite:///")).parent / "incoming"
        self._note, self.sources.note = self.sources.note, self.note

    def note(self, standing: SourceStanding) -> None:
        moves = standing.cursor != self.sources.all()[standing.name].cursor
        if moves and list(self._inbox.rglob("*.dcm")) and not self.deaths:
            self.deaths += 1
            raise Death
        self._note(standing)


def test_a_death_between_fetch_and_cursor_loses_and_repeats_nothing(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    files = write_series(tmp_path / "scan", 5)
    with watching(tmp_path / "site", orthanc, records=Dying) as watch:
        upload(orthanc, files)
        with pytest.raises(Death):
            watch.until(lambda: False, "its death")
        watch.restart()
        watch.settle()
        assert watch.received() == uids(files)
        assert len(watch.told(Stored)) == 5
        assert not watch.told(Duplicate)


def test_only_the_wanted_modalities(orthanc: Orthanc, tmp_path: Path) -> None:
    film = write_series(tmp_path / "film", 1, Modality="DX")
    head = write_series(tmp_path / "head", 2, Modality="MR")
    with watching(tmp_path / "site", orthanc, modalities=["CR", "DX"]) as watch:
        upload(orthanc, [*head, *film])
        arrived(watch, film)
        watch.restart()  # and the sweep of a restart does not fetch the others either
        watch.settle()
        assert watch.received() == uids(film)


def test_our_own_results_are_not_fetched(orthanc: Orthanc, tmp_path: Path) -> None:
    image, result = write_series(tmp_path / "scan", 2)
    with watching(tmp_path / "site", orthanc) as watch:
        put(watch.records, a_result("1", identity=next(iter(uids([result])))))
        upload(orthanc, [result, image])
        arrived(watch, [image])
        watch.settle()
        watch.restart()
        watch.settle()
        assert watch.received() == uids([image])


def test_older_images_stay_where_they_are_unless_all_are_wanted(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    files = [
        path for n in range(60) for path in write_series(tmp_path / str(n), 1, 8, PatientID=str(n))
    ]
    upload(orthanc, files)
    uploaded = int(time.time())
    until(lambda: time.time() > uploaded + 1, "the next second: Orthanc counts whole ones")
    late = write_series(tmp_path / "late", 1)
    with watching(tmp_path / "site", orthanc) as watch:
        upload(orthanc, late)
        arrived(watch, late)
        watch.settle()
        assert watch.received() == uids(late)
    with watching(tmp_path / "all", orthanc, since="beginning") as watch:
        everything = uids(watch.inbox.incoming.rglob("*.dcm"))
        assert everything >= uids([*files, *late])
        assert (watch.row.behind, watch.row.fetched) == (0, len(everything))


def test_what_the_feed_lost_is_found_by_the_sweep(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    with watching(tmp_path / "site", orthanc, sweep_seconds=0.5) as watch:
        upload(orthanc, files)
        httpx.delete(f"{orthanc.url}/changes").raise_for_status()
        arrived(watch, files)


def test_a_deleted_image_is_skipped(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    study = Instance.read(files[0]).study_uid
    with watching(tmp_path / "site", orthanc, wait_seconds=3) as watch:
        keys = upload(orthanc, files)
        watch.turn()  # listed, not fetched yet
        httpx.delete(f"{orthanc.url}/instances/{keys[0]}").raise_for_status()
        arrived(watch, files[1:])
        watch.settle()
        assert watch.received().isdisjoint(uids(files[:1]))
        counted = [hint.images for hint in watch.told(Counted) if hint.study == study]
        assert (counted[0], counted[-1]) == (3, 2)
        assert watch.row.problem == ""


def test_an_image_sent_again_with_other_content_stands_apart(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    files = write_series(tmp_path / "scan", 2)
    with watching(tmp_path / "site", orthanc) as watch:
        upload(orthanc, files)
        arrived(watch, files)
        upload(orthanc, files)  # the same once more
        watch.settle()
        assert not watch.told(Quarantined)
        dataset = pydicom.dcmread(files[0])
        dataset.SeriesDescription = "corrected"
        dataset.save_as(files[0], enforce_file_format=True)
        upload(orthanc, files[:1])
        watch.until(lambda: watch.told(Quarantined), "the second version")
        for _ in range(3):
            watch.settle()
            watch.restart()
        assert len(watch.told(Quarantined)) == 1
        assert "again with other content" in watch.told(Quarantined)[0].reason


def test_an_unreadable_image_stands_apart_and_is_not_fetched_again(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    broken, good = write_series(tmp_path / "scan", 2)
    dataset = pydicom.dcmread(broken)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(broken, enforce_file_format=True)
    with watching(tmp_path / "site", orthanc, sweep_seconds=0.1) as watch:
        upload(orthanc, [broken, good])
        arrived(watch, [good])
        (hint,) = watch.told(Quarantined)
        assert hint.study == str(dataset.StudyInstanceUID)
        assert "Deflated" in hint.reason
        time.sleep(0.2)
        watch.settle()
        assert len(watch.told(Quarantined)) == 1


def test_what_routing_brings_in_time_is_not_fetched(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 4)
    with watching(tmp_path / "site", orthanc, wait_seconds=1.0) as watch:
        upload(orthanc, files)
        watch.turn()
        for path in files[:3]:
            watch.inbox.store(path.read_bytes())
        arrived(watch, files)
        study = Instance.read(files[0]).study_uid
        watch.until(lambda: study in {hint.study for hint in watch.told(Stored)}, "the hint")
        assert [hint.study for hint in watch.told(Stored)].count(study) == 1
        assert watch.told(Counted)[0].images == 4


def test_a_full_disk_stops_the_fetching_not_the_watch(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    with watching(tmp_path / "site", orthanc, low_water_mb=1 << 40) as watch:
        upload(orthanc, files)
        watch.until(lambda: watch.row.state == "no room", "the full disk")
        assert watch.received() == set()
        watch.site = watch.site.model_copy(
            update={"receiver": watch.site.receiver.model_copy(update={"low_water_mb": 0})}
        )
        watch.restart()
        arrived(watch, files)


def test_it_comes_back_with_orthanc_after_a_power_cut(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 20)
    orthanc = Orthanc(tmp_path / "pacs").start()
    try:
        with watching(tmp_path / "site", orthanc) as watch:
            upload(orthanc, files[:10])
            watch.turn()
            orthanc.kill()
            watch.until(lambda: watch.row.state == "unreachable", "the failure")
            assert "cannot be reached" in watch.row.problem
            orthanc.start()
            upload(orthanc, files[10:])
            arrived(watch, files)
            assert watch.row.state == "reachable"
            assert watch.received() == uids(files)
            assert len(watch.told(Stored)) == len(files)
    finally:
        orthanc.kill()


def test_an_emptied_orthanc_is_begun_anew(tmp_path: Path) -> None:
    before, after = write_series(tmp_path / "one", 6), write_series(tmp_path / "other", 2)
    ports: dict[str, int] = {}
    with Orthanc(tmp_path / "pacs") as orthanc, watching(tmp_path / "site", orthanc) as watch:
        ports = {"http_port": orthanc.http_port, "dicom_port": orthanc.dicom_port}
        upload(orthanc, before)
        arrived(watch, before)
        orthanc.kill()
        with Orthanc(tmp_path / "new", **ports) as emptied:
            upload(emptied, after)
            arrived(watch, after)
            more = write_series(tmp_path / "more", 2)
            upload(emptied, more)
            arrived(watch, more)


def test_another_database_that_has_more_changes_than_ours_had(tmp_path: Path) -> None:
    """An older backup went on without us: its feed does not end before our cursor."""
    before, after = write_series(tmp_path / "one", 2), write_series(tmp_path / "other", 12)
    with Orthanc(tmp_path / "pacs") as orthanc, watching(tmp_path / "site", orthanc) as watch:
        upload(orthanc, before)
        arrived(watch, before)
        cursor = json.loads(watch.row.cursor)["seq"]
        orthanc.kill()
        ports = {"http_port": orthanc.http_port, "dicom_port": orthanc.dicom_port}
        with Orthanc(tmp_path / "backup", **ports) as restored:
            upload(restored, after)
            assert httpx.get(f"{restored.url}/changes?last").json()["Last"] > cursor
            watch.restart()
            arrived(watch, after)


ONLY_GET = """
function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
   return method == 'GET' or uri == '/instances'
end
"""


@pytest.mark.parametrize("script", ["", ONLY_GET])
def test_many_images_cost_few_questions_where_those_are_allowed(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = HttpClient.ask

    def noted(peer: HttpClient, method: str, path: str, *rest: Any, **more: Any) -> Response:
        asked.append(path)
        return ask(peer, method, path, *rest, **more)

    monkeypatch.setattr(HttpClient, "ask", noted)
    (tmp_path / "filter.lua").write_text(script)
    settings = {"LuaScripts": [str(tmp_path / "filter.lua")]}
    files = write_series(tmp_path / "scan", 20)
    with (
        Orthanc(tmp_path / "pacs", settings=settings) as orthanc,
        watching(tmp_path / "site", orthanc) as watch,
    ):
        upload(orthanc, files)
        asked.clear()
        arrived(watch, files)
        about_one = [path for path in asked if path.startswith("instances/")]
        files_fetched = [path for path in about_one if path.endswith("/file")]
        assert len(files_fetched) == 20
        assert len(about_one) - len(files_fetched) == (20 if script else 0)
        assert asked.count("tools/bulk-content") == 1


def test_a_wrong_password_is_named_and_a_right_one_is_used(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    secret.chmod(0o600)
    files = write_series(tmp_path / "scan", 1)
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"hilum": "right"}}
    with Orthanc(tmp_path / "pacs", settings=settings) as orthanc:
        watch = Watching(tmp_path / "site", orthanc.url, username="hilum", password_file=secret)
        try:
            assert watch.turn() > 5  # slowly, so that the account is not locked
            assert watch.row.state == "refused"
            assert "correct username, password_file" in watch.row.problem
            secret.write_text("right\n")
            secret.chmod(0o600)
            watch.settle()
            with httpx.Client(base_url=orthanc.url, auth=("hilum", "right")) as client:
                client.post("/instances", content=files[0].read_bytes()).raise_for_status()
            arrived(watch, files)
        finally:
            watch.close()


def test_a_hanging_archive_is_unreachable(tmp_path: Path) -> None:
    with silent_listener() as port:
        watch = Watching(tmp_path / "site", f"http://127.0.0.1:{port}", timeout_seconds=0.3)
        pauses = [watch.turn() for _ in range(4)]
        row = watch.row
        watch.close()
    assert (row.state, row.problem) == ("unreachable", "pacs: no answer in time")
    assert pauses == [0.25, 0.5, 1.0, 2.0]


def test_something_else_at_that_address_is_refused(orthanc: Orthanc, tmp_path: Path) -> None:
    for name, url in (("a", f"{orthanc.url}/app"), ("b", f"{orthanc.url}/system")):
        watch = Watching(tmp_path / name, url)
        watch.turn()
        row = watch.row
        watch.close()
        assert row.state == "refused"
        assert "correct url" in row.problem


def test_an_image_too_large_for_the_memory_does_not_stop_the_others(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    large = write_series(tmp_path / "large", 1, size=6000)  # 72 MB
    small = write_series(tmp_path / "small", 2)
    with watching(tmp_path / "site", orthanc, memory_mb=256) as watch:
        upload(orthanc, [*large, *small])
        arrived(watch, small)
        watch.restart()
        watch.settle()
        assert watch.received() == uids(small)
        assert watch.row.state == "reachable"
        study = Instance.read(large[0]).study_uid
        event = watch.records.events.of_study(study)[0]
        assert "too large for receiver.memory_mb" in event.text


def test_one_image_that_cannot_be_fetched_does_not_stop_the_others(tmp_path: Path) -> None:
    pace = Pace(retry_seconds=(0.1, 0.2))
    files = write_series(tmp_path / "scan", 4)
    settings = {"MaximumStorageCacheSize": 0}
    with (
        Orthanc(tmp_path / "pacs", settings=settings) as orthanc,
        watching(tmp_path / "site", orthanc, pace=pace) as watch,
    ):
        study = str(pydicom.dcmread(files[0]).StudyInstanceUID)
        upload(orthanc, files)
        content = hashlib.md5(files[1].read_bytes()).hexdigest()
        stored = [p for p in (tmp_path / "pacs" / "storage").rglob("*") if p.is_file()]
        lost = next(p for p in stored if hashlib.md5(p.read_bytes()).hexdigest() == content)
        lost.rename(tmp_path / "lost")
        arrived(watch, [files[0], *files[2:]])
        watch.settle()
        more = write_series(tmp_path / "more", 1)
        upload(orthanc, more)
        arrived(watch, more)
        watch.until(lambda: watch.records.events.of_study(study), "the event")
        (event,) = watch.records.events.of_study(study)
        assert event.kind == "not fetched"
        assert "HTTP 500" in event.text
        (tmp_path / "lost").rename(lost)
        watch.restart()  # or ten minutes later
        arrived(watch, files)


def test_many_lost_images_do_not_hold_up_a_new_one(tmp_path: Path) -> None:
    lost = [f for n in range(30) for f in write_series(tmp_path / str(n), 1, 8, PatientID=str(n))]
    settings = {"MaximumStorageCacheSize": 0}
    with (
        Orthanc(tmp_path / "pacs", settings=settings) as orthanc,
        watching(tmp_path / "site", orthanc) as watch,
    ):
        upload(orthanc, lost)
        for path in (tmp_path / "pacs" / "storage").rglob("*"):
            if path.is_file():
                path.unlink()
        film = write_series(tmp_path / "film", 1)
        upload(orthanc, film)
        watch.turn()
        assert watch.received() == uids(film)
        assert watch.row.state == "reachable"


def test_no_more_is_listed_than_may_wait(tmp_path: Path) -> None:
    pace = Pace(most_waiting=2)
    files = [f for n in range(8) for f in write_series(tmp_path / str(n), 1, 8, PatientID=str(n))]
    with Orthanc(tmp_path / "pacs") as orthanc:
        upload(orthanc, files)
        httpx.delete(f"{orthanc.url}/changes").raise_for_status()
        watch = Watching(
            tmp_path / "site", orthanc.url, since="beginning", wait_seconds=60, pace=pace
        )
        try:
            pauses = [watch.turn() for _ in range(10)]
            assert len(watch.told(Counted)) == 3
            assert pauses[-1] > 0
        finally:
            watch.close()


def test_a_password_file_that_is_not_there_is_named_until_it_is(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    watch = Watching(tmp_path / "site", orthanc.url, username="hilum", password_file=secret)
    try:
        watch.turn()
        assert watch.row.state == "refused"
        assert f"password_file: cannot read {secret}: No such file" in watch.row.problem
        secret.write_text("any")
        secret.chmod(0o600)
        watch.settle()
    finally:
        watch.close()


class Locked(Records):
    """A database that somebody else holds, while `locked`."""

    locked = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._note, self.sources.note = self.sources.note, self.note

    def note(self, standing: SourceStanding) -> None:
        if self.locked:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        self._note(standing)


def test_a_locked_database_is_survived(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    with watching(tmp_path / "site", orthanc, records=Locked) as watch:
        Locked.locked = True
        upload(orthanc, files)
        assert watch.turn() == 0.25
        Locked.locked = False
        arrived(watch, files)
        watch.settle()
        assert watch.row.state == "reachable"
