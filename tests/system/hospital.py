"""A Hilum with an archive that counts what it is sent, for tests that start it again and again."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from factory import mr_slices, write
from hilum.acts.asking import ask
from hilum.cli import main
from hilum.cli.app import out, say
from hilum.dicom.instance import Instance
from hilum.errors import RecordsUnusable
from hilum.inbox import digest
from hilum.records import copies
from hilum.records.states import RequestAction
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from plugin import BRIGHT, install_plugin

from .site import LEAN, Running, running

Typed = Callable[["Hospital", str], tuple[int, str]]
OBJECTS = len(LEAN["objects"])  # of each result
QUICK = {"quiet_seconds": 1.5, "study_quiet_seconds": 1.5}


class Hospital:
    """An archive that counts, and a Hilum that is started, stopped and damaged."""

    def __init__(self, folder: Path, archive: DimseArchive, **settings: Any) -> None:
        self.folder, self.archive = folder, archive
        destination = {"name": "pacs", "kind": "dimse", "ae_title": AE_TITLE, "port": archive.port}
        destination["viewer"] = "ohif"
        rule = {"module": "bright-volume", "send_to": ["pacs"], **QUICK}
        self._settings = {"destination": [destination], "rule": [rule], **settings}
        self._exams: dict[str, list[Path]] = {}
        database = f'database = "{settings["database"]}"\n' if "database" in settings else ""
        (folder / "hilum.toml").write_text(f'data = "{self.data}"\n{database}')

    @property
    def data(self) -> Path:
        return self.folder / "hilum"

    def run(self) -> AbstractContextManager[Running]:
        return running(self.folder, **self._settings)

    def exam(self, name: str) -> list[Path]:
        if name not in self._exams:
            self._exams[name] = write(mr_slices(name, name, 4), self.folder / name)
        return self._exams[name]

    def uid(self, name: str) -> str:
        return Instance.read(self.exam(name)[0]).study_uid

    def copy(self, name: str) -> copies.StudyRows | None:
        """What the copy of the records says of a study."""
        file = self.data / "records" / f"{digest(self.uid(name))}.json"
        read = copies.Copies(self.data).read(file) if file.exists() else None
        return read[1] if read else None


@contextmanager
def hospital_in(folder: Path, **settings: Any) -> Iterator[Hospital]:
    archive = DimseArchive(available_port())
    archive.open()
    try:
        with pytest.MonkeyPatch.context() as patch:
            install_plugin(folder / "plugin", patch, BRIGHT, "bright-volume", "BrightVolume")
            yield Hospital(folder, archive, **settings)
    finally:
        archive.close()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    def type_it(hospital: Hospital, line: str) -> tuple[int, str]:
        words = [*line.split(), "--config", str(hospital.folder / "hilum.toml")]
        monkeypatch.setattr(sys, "argv", words)
        for console in (say, out):
            monkeypatch.setattr(console, "width", 300)
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, "".join(capsys.readouterr())

    return type_it


def refused(hospital: Hospital) -> str:
    """What a start says that is refused; it is one line."""
    with pytest.raises(RecordsUnusable) as error, hospital.run():
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def cure(hospital: Hospital, said: str, typed: Typed) -> str:
    """Type the command that was printed; what it says."""
    (command,) = re.findall(r"`(hilum [^`]+)`", said)
    status, printed = typed(hospital, command)
    assert status == 0, printed
    return printed


def deliver(hilum: Running, hospital: Hospital, *names: str) -> None:
    for name in names:
        hilum.send(hospital.exam(name))
    assert {state for _, state in at_rest(hilum, hospital, *names).values()} == {"completed"}


def at_rest(hilum: Running, hospital: Hospital, *names: str) -> dict[str, tuple[str, str]]:
    """Id and state of the one workitem of each study, once its copy says that all is done."""

    def is_copied(name: str) -> bool:
        rows = hospital.copy(name)
        is_settled = rows is not None and rows["study"] and rows["study"][0]["settled_images"] == 4
        return bool(is_settled and rows and rows["workitem"][0]["state"] == found[name][1])

    found = {}
    for name in names:
        (item,) = hilum.settled(hospital.uid(name)).workitems
        found[name] = (item.id, item.state.value)
        hilum.until(lambda name=name: is_copied(name), "the copy")  # type: ignore[misc]
    return found


def swept(hilum: Running, workitem_id: str) -> None:
    """Returns once the gateway has looked through all that it found at its start.

    It answers a request after that; this one asks for what is not done.
    """
    done, answer = ask(hilum.records, hilum.site.data, RequestAction.RETRY, workitem_id)
    assert not done, answer


def sent_once(hospital: Hospital, studies: int) -> None:
    assert Counter(hospital.archive.sent.values()) == {1: studies * OBJECTS}
