"""What is removed by a rule, and a disk that is full, with all processes running."""

import time
from pathlib import Path
from typing import Any

import pytest

from hilum.acts.asking import ask
from hilum.alarms import alarms_now
from hilum.dicom.instance import Instance
from hilum.records.states import RequestAction
from hilum.records.views import StudyView, study, trace
from hilum_lab.disk import Mount, filled
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.plugin import BRIGHT, WAITING, install_plugin

from .site import Running, running
from .test_modules import site_for
from .test_sources import exam, kept, settings_for, source_of, store, watched

AT_ONCE = {"days": 0.00001}


@pytest.fixture
def bright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")


def kill(hilum: Running, role: str) -> None:
    hilum.supervisor.processes[role].kill()


def removed(hilum: Running, files: list[Path]) -> StudyView:
    """The study once nothing of it is here."""
    uid = Instance.read(files[0]).study_uid
    hilum.until(lambda: study(hilum.records, uid).removed, "the removal")
    assert kept(hilum, files) == []
    return study(hilum.records, uid)


@pytest.mark.usefixtures("bright")
def test_what_was_removed_is_not_fetched_again_nor_run_in_part(tmp_path: Path) -> None:
    *files, late = exam(tmp_path, 13)
    study_uid = Instance.read(late).study_uid

    def events(hilum: Running, kind: str) -> list[str]:
        return [e.text for e in trace(hilum.records, study_uid) if e.kind == kind]

    with Orthanc(tmp_path / "pacs") as orthanc:
        store(orthanc, files)  # before: the first listing counts all of them
        settings: dict[str, Any] = settings_for(orthanc, sweep_seconds=0.5, since="beginning")
        settings["rule"][0] |= {"give_up_seconds": 5, "study_quiet_seconds": 5}
        with running(tmp_path, **settings, retention=AT_ONCE) as hilum:
            watched(hilum)
            (item,) = hilum.settled(study_uid).workitems
            assert item.state == "completed"
            assert len(kept(hilum, files)) == len(files)
            hilum.until(lambda: study(hilum.records, study_uid).settled, "the silence")
            kill(hilum, "gateway")  # the next one sweeps at once
            view = removed(hilum, files)
            assert view.removed.images == view.images == len(files)
            assert view.workitems == (item,)
            assert not (hilum.site.data / "results" / item.id).exists()
            # the source compares the whole archive when it starts, and every half second
            kill(hilum, "source-pacs")
            since = source_of(hilum).seen_at
            hilum.until(lambda: source_of(hilum).seen_at > since + 5, "the source")
            assert source_of(hilum).fetched == len(files)
            assert kept(hilum, files) == []

            answer = ask(hilum.records, hilum.site.data, RequestAction.WITHDRAW, item.id, "wrong")
            assert answer[0] is False
            assert "no news for more than" in answer[1]

            hilum.send(files)  # as a PACS does for somebody who asks for it
            hilum.until(lambda: not study(hilum.records, study_uid).removed, "the decision")
            assert study(hilum.records, study_uid).workitems == (item,)
            kill(hilum, "gateway")
            removed(hilum, files)

            store(orthanc, [late])
            (text,) = hilum.until(lambda: events(hilum, "late"), "the late image")
            assert text.startswith("1 of 13 images are here, the others were removed before")
            view = study(hilum.records, study_uid)
            assert view.workitems == (item,)
            assert view.images == len(files) + 1
            assert source_of(hilum).fetched == len(files) + 1
            assert len(events(hilum, "removed")) == 2


def test_a_disk_that_fills_up_during_an_analysis_delays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_disk: Mount
) -> None:
    """Somebody else takes the last byte while the module runs: of findings, results and records."""
    install_plugin(tmp_path / "plugin", monkeypatch, WAITING, "bright-volume", "BrightVolume")
    files = exam(tmp_path)
    study_uid = Instance.read(files[0]).study_uid
    settings = site_for(tmp_path, "bright-volume")
    settings["receiver"] = {"port": available_port(), "low_water_mb": 1}
    with (
        small_disk(32) as disk,
        running(disk, **settings) as hilum,
    ):

        def states() -> list[str]:
            return [item.state for item in hilum.records.workitems.of_study(study_uid)]

        hilum.send(files)
        hilum.until(lambda: states() == ["running"], "the module")
        with filled(disk):
            (tmp_path / "plugin" / "go").touch()
            (alarm,) = alarms_now(hilum.site, hilum.records)
            assert "0 MiB are free" in alarm.text
            time.sleep(6)
            assert states() == ["running"]
        (item,) = hilum.settled(study_uid).workitems
        assert item.state == "completed"
        assert all(result.verified for result in item.results)
        assert not list(disk.rglob("*.part"))
        log = (hilum.site.data / "logs" / "hilum.log").read_text()
        assert log.count("the disk is full; the work under way waits for room") == 1
