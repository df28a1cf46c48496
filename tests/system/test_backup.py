"""A backup is made while Hilum works, and restored by the commands that it prints."""

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factory import mr_slices, write
from hilum.answers import Acceptance, Answer
from hilum.cli import main
from hilum.config import parse
from hilum.errors import BackupError
from hilum.housekeeping.backup import back_up
from hilum.inbox import heard
from hilum.results import DICOM, Result
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from plugin import install_plugin
from tests.records.old.work import MODULE

from .site import Running, running

PLACES = {"finished": "day", "delivering": "night", "running": "day", "half": "day"}
SLICES = {"running": 5, "half": 6}  # others have 3
PAUSE = 0.3  # seconds between studies that come during a backup: each is analysed and delivered


@pytest.fixture
def archives() -> Iterator[dict[str, DimseArchive]]:
    """Of two archives, one is down at night."""
    found = {name: DimseArchive(available_port()) for name in ("day", "night")}
    try:
        found["day"].open()
        yield found
    finally:
        for archive in found.values():
            archive.close()


def exam(folder: Path, study: str, *numbers: int) -> list[Path]:
    """Files of a study: all its images, or those of some numbers."""
    place, count = PLACES.get(study, "day"), SLICES.get(study, 3)
    slices = mr_slices(study, study, count, (24, 20), description=place)
    for image in slices:
        image.StudyDescription = place
    return write([slices[n] for n in numbers or range(count)], folder / study)


def uid_of(study: str) -> str:
    return str(mr_slices(study, study, 1, (2, 2))[0].StudyInstanceUID)


def settings(archives: dict[str, DimseArchive]) -> dict[str, Any]:
    """A rule for each archive; a series that is not whole is waited for."""
    places = [
        {"name": n, "kind": "dimse", "port": a.port, "ae_title": AE_TITLE, "objects": ["sr"]}
        for n, a in archives.items()
    ]
    rules = [
        {
            "module": "counting",
            "study": {"StudyDescription": f"^{name}$"},
            "series": {"SeriesDescription": f"^{name}$"},
            "send_to": [name],
            "study_quiet_seconds": 600.0,
        }
        for name in archives
    ]
    return {"destination": places, "rule": rules, "priors": {"enabled": False}}


def state_of(hilum: Running, study: str) -> list[str]:
    return [str(item.state) for item in hilum.records.workitems.of_study(uid_of(study))]


def back_up_by_command(
    hilum: Running,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    """Type `hilum backup`; the commands that restore it, as printed."""
    config = folder / "hilum.toml"
    data, database = hilum.site.data, hilum.site.database
    config.write_text(f'data = "{data}"\ndatabase = "{database}"\n')
    words = ["hilum", "backup", str(folder / "backup"), "--config", str(config)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert not ended.value.code, said
    return re.findall(r"^  (.+)$", said, flags=re.M)


def test_after_a_restore_nothing_is_lost_and_nothing_is_sent_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: str,
    archives: dict[str, DimseArchive],
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, MODULE, "counting")
    url = "" if database.startswith("sqlite") else database
    meanwhile: list[str] = []
    with running(tmp_path, database=url, **settings(archives)) as hilum:
        hilum.send(exam(tmp_path, "finished"))
        hilum.send(exam(tmp_path, "delivering"))
        for study, state in (("finished", "completed"), ("delivering", "delivering")):
            hilum.until(lambda s=study, wanted=state: state_of(hilum, s) == [wanted], study)  # type: ignore[misc]
        hilum.send(exam(tmp_path, "running"))
        hilum.until(lambda: state_of(hilum, "running") == ["running"], "running")
        hilum.send(exam(tmp_path, "half", 0, 1, 3))
        stop = threading.Event()

        def go_on_sending() -> None:
            while not stop.wait(PAUSE):
                name = f"meanwhile {len(meanwhile)}"
                hilum.send(exam(tmp_path, name))
                meanwhile.append(name)

        sending = threading.Thread(target=go_on_sending)
        sending.start()
        try:
            hilum.until(lambda: meanwhile, "a study")
            accepted = meanwhile.copy()
            commands = back_up_by_command(hilum, tmp_path, monkeypatch, capsys)
        finally:
            stop.set()
            sending.join()
        (tmp_path / "plugin" / "go").touch()
        archives["night"].open()
        for study in ("running", "delivering", *meanwhile):
            hilum.settled(uid_of(study))
    for command in commands:
        subprocess.run(command, shell=True, check=True)
    with running(tmp_path, database=url, **settings(archives)) as hilum:
        hilum.send(exam(tmp_path, "half"))
        everything = ["finished", "delivering", "running", "half", *accepted]
        states = {s: [str(i.state) for i in hilum.settled(uid_of(s)).workitems] for s in everything}
    assert states == {study: ["completed"] for study in everything}
    for archive in archives.values():
        assert set(archive.sent.values()) == {1}
    # of a study that came while the backup was made, a part may have to be analysed
    shown = Counter(d.StudyInstanceUID for a in archives.values() for d in a.holds.values())
    assert {study: shown[uid_of(study)] for study in everything} == dict.fromkeys(everything, 1)


def nothing(_files: int) -> None:
    pass


def test_a_backup_is_whole_or_not_there(tmp_path: Path) -> None:
    site = parse({"data": tmp_path / "data"})
    config = tmp_path / "hilum.toml"
    config.touch()
    (tmp_path / "data" / "incoming" / "a").mkdir(parents=True)
    (tmp_path / "data" / "incoming" / "a" / "b.dcm").write_bytes(b"image")
    for wrong in (tmp_path / "data" / "backup", tmp_path, tmp_path / "hilum.toml"):
        with pytest.raises(BackupError, match="choose"):
            back_up(site, config, wrong, nothing)
    (tmp_path / "data" / "hilum.db").write_bytes(b"no database, but a file of 4 KiB" * 128)
    with pytest.raises(BackupError, match=r"hilum\.db cannot be copied: file is not a database"):
        back_up(site, config, tmp_path / "backup", nothing)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "hilum.toml"]
    (tmp_path / "data" / "hilum.db").unlink()
    made = back_up(site, config, tmp_path / "backup", nothing)
    assert (made.files, made.bytes, made.linked) == (1, 5, True)
    assert (made.folder / "data" / "incoming" / "a" / "b.dcm").read_bytes() == b"image"
    assert made.folder.stat().st_mode & 0o077 == 0


def test_what_an_archive_says_later_does_not_change_a_backup(tmp_path: Path) -> None:
    site = parse({"data": tmp_path / "data"})
    config = tmp_path / "hilum.toml"
    config.touch()
    result = Result("sr", DICOM, "1.2.3", tmp_path / "r", "1.2", "w")

    def said(comment: str) -> None:
        answer = Answer(result, Acceptance.NEVER, 0xA900, comment=comment)
        heard.note(site.data, "pacs", [answer], 1e9)

    said("the first words")
    made = back_up(site, config, tmp_path / "backup", nothing)
    assert made.linked
    said("other words")
    now = heard.file_of(site.data, "1.2", "w", "pacs")
    assert "the first words" in now.read_text() and "other words" in now.read_text()
    assert now.stat().st_mode & 0o777 == 0o600
    copy = made.folder / "data" / now.relative_to(site.data)
    assert "other words" not in copy.read_text()


def test_a_backup_on_another_disk_is_a_copy(tmp_path: Path, small_disk: Any) -> None:
    site = parse({"data": tmp_path / "data"})
    config = tmp_path / "hilum.toml"
    config.touch()
    (tmp_path / "data" / "results" / "1").mkdir(parents=True)
    file = tmp_path / "data" / "results" / "1" / "sr.dcm"
    file.write_bytes(b"result")
    with small_disk(16) as disk:
        made = back_up(site, config, Path(disk) / "backup", nothing)
        assert not made.linked
        copy = made.folder / "data" / "results" / "1" / "sr.dcm"
        assert copy.read_bytes() == b"result"
        assert copy.stat().st_mtime == file.stat().st_mtime
