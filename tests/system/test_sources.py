"""An archive that is watched, with all processes: image in Orthanc, result back beside it."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from hilum.dicom.instance import Instance
from hilum.inbox import Inbox
from hilum.records import tables, views
from hilum.service.supervisor import EVERY_ROLE
from hilum.sources import orthanc as orthanc_source
from hilum.transport import sender
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.factory import mr_slices, write
from tests.patience import until
from tests.plugin import BRIGHT, install_plugin
from tests.signing_in import asked

from .site import Running, running

WAKE = Path(orthanc_source.__file__).with_name("wake.lua")
SOURCE = "source-pacs"


@pytest.fixture(autouse=True)
def bright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")


def settings_for(orthanc: Orthanc, **source: Any) -> dict[str, Any]:
    """Watch `orthanc`, and deliver the results to where the images came from."""
    return {
        "source": [{"name": "pacs", "kind": "orthanc", "url": orthanc.url, **source}],
        "destination": [
            {"name": "pacs", "kind": "dimse", "port": orthanc.dicom_port, "objects": ["sr"]}
        ],
        "rule": [{"module": "bright-volume", "send_to": ["pacs"]}],
    }


def exam(folder: Path, count: int = 16) -> list[Path]:
    return write(mr_slices(count=count, shape=(16, 16)), folder / "exam")


def store(orthanc: Orthanc, files: Sequence[Path], pause: float = 0) -> None:
    """As Orthanc Explorer does when files are dropped on it."""
    with httpx.Client(base_url=orthanc.url) as client:
        for path in files:
            client.post("/instances", content=path.read_bytes()).raise_for_status()
            time.sleep(pause)


def source_of(hilum: Running) -> views.SourceView:
    (source,) = views.sources(hilum.site, hilum.records)
    return source


def cursor_of(hilum: Running) -> int:
    """The number of the last change of the archive that has been followed."""
    (name,) = (source.name for source in hilum.site.source)
    return int(json.loads(hilum.records.sources.all()[name].cursor)["seq"])


def watched(hilum: Running) -> None:
    hilum.until(lambda: source_of(hilum).state == "reachable", "the archive")


def kept(hilum: Running, files: Sequence[Path]) -> list[Path]:
    """The files in the folder of the study that `files` belong to."""
    folder = Inbox(hilum.site.data).study_folder(Instance.read(files[0]).study_uid)
    return sorted(folder.glob("*.dcm"))


def uids(files: Sequence[Path]) -> list[str]:
    return sorted(Instance.read(path).sop_instance_uid for path in files)


def wait_for_result_on_all(hilum: Running, files: Sequence[Path]) -> None:
    """A pause of the sender may look like the end of the series: then one on fewer comes first."""

    def whole() -> bool:
        last = hilum.settled(Instance.read(files[0]).study_uid).workitems[-1]
        chosen = [series.images for series in last.chosen_series]
        return last.state == "completed" and chosen == [len(files)]

    hilum.until(whole, "the result on all images")


def test_an_image_in_orthanc_is_analysed_and_its_result_stands_beside_it(tmp_path: Path) -> None:
    files = exam(tmp_path)
    with (
        Orthanc(tmp_path / "pacs") as orthanc,
        running(tmp_path, EVERY_ROLE, **settings_for(orthanc)) as hilum,
    ):
        watched(hilum)
        store(orthanc, files)
        wait_for_result_on_all(hilum, files)
        items = views.study(hilum.records, Instance.read(files[0]).study_uid).workitems
        assert len([item for item in items if not item.superseded_by]) == 1
        results = [result for item in items for result in item.results if result.verified]
        held = httpx.get(f"{orthanc.url}/statistics").json()["CountInstances"]
        assert held == len(files) + len(results)
        last = httpx.get(f"{orthanc.url}/changes?last").json()["Last"]
        hilum.until(lambda: cursor_of(hilum) >= last, "the end of the feed")
        assert uids(kept(hilum, files)) == uids(files)  # and not the result
        shown = asked(hilum.site, "/api/v1/sources").json()
        assert shown[0]["fetched"] == len(files)
        assert "cursor" not in shown[0]
        log = (hilum.site.data / "logs" / "hilum.log").read_text()
        assert "source-pacs" in log
        lines = hilum.records.database.transact(lambda c: c.execute(tables.event.select()).all())
        assert "Marker" not in log + str(shown) + str(lines)


def test_a_source_killed_again_and_again_loses_and_repeats_nothing(tmp_path: Path) -> None:
    files = exam(tmp_path, 40)
    with (
        Orthanc(tmp_path / "pacs") as orthanc,
        running(tmp_path, **settings_for(orthanc)) as hilum,
    ):
        watched(hilum)
        sending = threading.Thread(target=store, args=(orthanc, files, 0.03))
        sending.start()
        for count in (3, 20):
            hilum.until(lambda n=count: len(kept(hilum, files)) >= n, f"{count} images")
            hilum.supervisor.processes[SOURCE].kill()
        sending.join()
        hilum.until(lambda: len(kept(hilum, files)) == len(files), "all images")
        assert uids(kept(hilum, files)) == uids(files)
        wait_for_result_on_all(hilum, files)


def test_what_routing_lost_is_found_and_analysed_once(tmp_path: Path) -> None:
    """Hilum is away while the PACS routes, which tries once. Nothing of that is lost."""
    files = exam(tmp_path)
    port = available_port()
    with Orthanc(tmp_path / "pacs", route_to=("HIPPOAI", "127.0.0.1", port)) as orthanc:
        settings = settings_for(orthanc, wait_seconds=1)
        settings["receiver"] = {"port": port, "low_water_mb": 0}
        with running(tmp_path, **settings) as hilum:
            watched(hilum)
        sent = sender.send(files, (orthanc.ae_title, "127.0.0.1", orthanc.dicom_port))
        assert not sent.failed
        wait_for_routing(orthanc)
        with running(tmp_path, **settings) as hilum:
            view = hilum.settled(Instance.read(files[0]).study_uid)
            assert [item.state for item in view.workitems] == ["completed"]
            assert view.workitems[0].chosen_series[0].images == len(files)
            assert source_of(hilum).fetched == len(files)


def wait_for_routing(orthanc: Orthanc) -> None:
    """Until Orthanc has tried, in vain, to route what it got."""

    def tried() -> bool:
        states = {job["State"] for job in httpx.get(f"{orthanc.url}/jobs?expand").json()}
        return bool(states) and states <= {"Success", "Failure"}

    until(tried, "the routing")


def test_the_hook_wakes_the_watch_at_once_and_nothing_depends_on_it(tmp_path: Path) -> None:
    files = exam(tmp_path, 3)
    console = available_port()
    hook = {
        "LuaScripts": [str(WAKE)],
        "HilumWake": f"http://127.0.0.1:{console}/api/v1/sources/pacs/wake",
    }
    with Orthanc(tmp_path / "pacs", settings=hook) as orthanc:
        store(orthanc, files[:1])  # nobody listens
        settings = settings_for(orthanc, poll_seconds=600, since="beginning")
        settings["console"] = {"port": console}
        with running(tmp_path, EVERY_ROLE, **settings) as hilum:
            hilum.until(lambda: len(kept(hilum, files)) == 1, "the first image")
            time.sleep(3)  # until the watch is idle
            store(orthanc, files[1:])  # the next poll is further away than what `until` waits
            hilum.until(lambda: len(kept(hilum, files)) == 3, "the other images")
            wrong = httpx.post(f"http://127.0.0.1:{console}/api/v1/sources/other/wake")
            assert wrong.status_code == 404
