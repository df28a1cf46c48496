"""hilum.toml is followed while Hilum runs; what cannot be used is refused, and nothing is lost."""

import tomllib
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.alarms import alarms_now
from hilum.config import load
from hilum.config.editing import added, changed
from hilum.config.versions import SettingsVersions
from hilum.dicom.instance import Instance
from hilum.service.supervisor import EVERY_ROLE
from hilum_lab.network.processes import available_port, listens
from plugin import BRIGHT, WAITING, install_plugin
from tests.settings_text import with_value

from .site import LEAN, Running, running
from .test_modules import delivered, site_for

HEADS = {"SeriesDescription": "^Head"}


def studies(folder: Path, count: int) -> list[list[Path]]:
    return [
        write(mr_slices(study=str(number), count=8), folder / str(number))
        for number in range(count)
    ]


def uid_of(files: list[Path]) -> str:
    return Instance.read(files[0]).study_uid


def rule(text: str, **more: object) -> str:
    """`text` whose first rule has `more`."""
    return changed(text, "rule", 0, tomllib.loads(text)["rule"][0] | more)


def changing(tmp_path: Path) -> AbstractContextManager[Running]:
    """A Hilum with a settings file, and a rule for the module of these tests."""
    settings = site_for(tmp_path, "bright-volume")
    settings["destination"][0]["folder"] = str(tmp_path / "out")
    return running(tmp_path, EVERY_ROLE, in_file=True, **settings)


def pids(hilum: Running) -> dict[str, int | None]:
    return {name: process.pid for name, process in hilum.supervisor.processes.items()}


def test_rules_change_while_studies_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was accepted is lost, and no result comes twice."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    exams = studies(tmp_path / "exam", 4)
    with changing(tmp_path) as hilum:
        before = pids(hilum)
        for number, files in enumerate(exams):
            hilum.change(lambda text, n=number: rule(text, priority=("HIGH", "LOW")[n % 2]))
            half = len(files) // 2
            hilum.send(files[:half])
            hilum.supervisor.check()
            hilum.send(files[half:])
        hilum.followed()
        for files in exams:
            study = hilum.settled(uid_of(files))
            assert [item.state for item in study.workitems] == ["completed"]
        after = pids(hilum)
        kept = [version.text for version in SettingsVersions(hilum.site.data).backwards()]
        assert kept[0] == hilum.file.read().text
        assert len(kept) > 1
    results = [(ds.StudyInstanceUID, ds.SOPInstanceUID) for ds in delivered(tmp_path)]
    assert len(results) == len(set(results)) == len(LEAN["objects"]) * len(exams)
    assert after["receiver"] == before["receiver"]
    assert after["console"] == before["console"]
    assert after["gateway"] != before["gateway"]
    assert after["worker-0"] != before["worker-0"]


def test_what_runs_ends_with_the_parameters_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, WAITING, "bright-volume", "BrightVolume")
    first, second = studies(tmp_path / "exam", 2)
    elsewhere = {"name": "elsewhere", "kind": "folder", "folder": str(tmp_path / "elsewhere")}
    with changing(tmp_path) as hilum:
        hilum.send(first)
        hilum.until(
            lambda: hilum.records.workitems.counts().get(("bright-volume", "running")), "it"
        )
        worker = pids(hilum)["worker-0"]
        more = added(hilum.file.read().text, "destination", elsewhere)
        hilum.change(lambda _: rule(more, send_to=["elsewhere"]))
        hilum.until(lambda: hilum.supervisor.site == load(hilum.file.path), "the new settings")
        hilum.send(second)
        assert pids(hilum)["worker-0"] == worker
        (tmp_path / "plugin" / "go").touch()
        for files in (first, second):
            hilum.settled(uid_of(files))
        hilum.followed()
        assert pids(hilum)["worker-0"] != worker
    assert {ds.StudyInstanceUID for ds in delivered(tmp_path)} == {uid_of(first)}
    assert {ds.StudyInstanceUID for ds in delivered(tmp_path, "elsewhere")} == {uid_of(second)}


def test_what_cannot_be_used_is_an_alarm_and_hilum_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    (files,) = studies(tmp_path / "exam", 1)
    with changing(tmp_path) as hilum:
        good, before = hilum.file.read().text, pids(hilum)

        def alarm() -> str:
            found = alarms_now(hilum.site, hilum.records)
            return next((a.text for a in found if a.name == "settings"), "")

        for wrong, words in (
            (good.replace("bright-volume", "dark-volume"), "not installed"),
            (good.replace("[[rule]]", "[[rule]"), "not TOML"),
            (with_value(good, ("data",), str(tmp_path)), "restart `hilum serve`"),
        ):
            hilum.change(lambda _, wrong=wrong: wrong)
            hilum.until(lambda words=words: words in alarm(), words)
        hilum.send(files)
        assert hilum.settled(uid_of(files)).workitems[0].state == "completed"
        hilum.change(lambda _: good)
        hilum.until(lambda: not alarm(), "the end of the alarm")
        assert pids(hilum) == before
        assert SettingsVersions(hilum.site.data).numbers() == [1]
        hilum.file.path.unlink()
        hilum.until(lambda: "No such file" in alarm(), "the alarm of a missing file")
    assert "is not followed: rule: module 'dark-volume': not installed" in caplog.text


def test_only_whose_settings_change_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    (files,) = studies(tmp_path / "exam", 1)
    with changing(tmp_path) as hilum:
        before, port = pids(hilum), available_port()
        hilum.change(lambda text: with_value(text, ("receiver", "port"), port))
        hilum.followed()
        hilum.until(lambda: listens(port), "the listener at its new port")
        hilum.listener = ("HIPPOAI", "127.0.0.1", port)
        hilum.send(files)
        hilum.settled(uid_of(files))
        after = pids(hilum)
        assert {name for name in before if before[name] == after[name]} == {"console", "worker-0"}
        hilum.change(lambda text: with_value(text, ("worker", "count"), 2))
        hilum.followed()
        assert set(pids(hilum)) == {*before, "worker-1"}
        hilum.change(lambda text: with_value(text, ("worker", "count"), None))
        hilum.followed()
        assert set(pids(hilum)) == set(before)
