"""What an error tells a person to do is done here, and then it works."""

import ctypes
import multiprocessing
import os
import shlex
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from factory import a_result, a_study, a_workitem, mr_slices, put, write
from hilum.destinations.folder import FolderDestinationSettings
from hilum.errors import ConfigurationError
from hilum.offline import analyse_folder
from hilum.privacy import secret_in
from hilum.records import Records, views
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, WorkitemState
from plugin import BRIGHT, install_plugin
from tests.core.test_outbox import Desk

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users and mounts disks")
NOBODY = 65534
MOUNT = """
import ctypes, os, pathlib, subprocess, sys
from hilum.errors import ConfigurationError
from hilum.service.preflight import alone_in
from hilum.service.roles import Role

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], check=True)
try:
    with alone_in(folder, [Role.GATEWAY]):
        raise SystemExit("it can be written")
except ConfigurationError as error:
    print(error)
subprocess.run(["mount", "-o", "remount,rw", folder], check=True)  # as it tells
with alone_in(folder, [Role.GATEWAY]):
    print("starts")
"""


def test_images_of_several_patients_in_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    images = mr_slices("t1", count=16)
    for image in images[8:]:
        image.PatientID = "OTHER"
    write(images, tmp_path / "exam")
    [report] = analyse_folder("bright-volume", tmp_path / "exam", tmp_path / "out", {})
    assert report.problem.endswith("put those of each patient into a folder of their own")
    for name, of_one in (("one", images[:8]), ("other", images[8:])):
        write(of_one, tmp_path / name)
        [report] = analyse_folder("bright-volume", tmp_path / name, tmp_path / f"{name}-out", {})
        assert (report.problem, bool(report.results)) == ("", True)


@AS_ROOT
def test_a_password_of_another_user(tmp_path: Path) -> None:
    """Hilum runs as a user who does not own the file, in which others may read."""
    file = Path("/tmp") / f"hilum-password-{os.getpid()}"
    file.write_text("open sesame")
    file.chmod(0o644)

    fork = multiprocessing.get_context("fork")

    def as_nobody(told: Connection) -> None:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            told.send(secret_in(file))
        except ConfigurationError as error:
            told.send(str(error))

    def read() -> str:
        """In a copy of this process: another user may not start the Python of this one."""
        ours, theirs = fork.Pipe()
        process = fork.Process(target=as_nobody, args=(theirs,))
        process.start()
        said = str(ours.recv())
        process.join()
        return said

    try:
        said = read()
        cure = f"chown {NOBODY} {shlex.quote(str(file))} && chmod 600 {shlex.quote(str(file))}"
        assert said.endswith(f": {cure}")
        subprocess.run(cure, shell=True, check=True)
        assert read() == "open sesame"
    finally:
        file.unlink()


@AS_ROOT
def test_a_disk_that_is_mounted_to_be_read_only(tmp_path: Path) -> None:
    """The mount is seen by that process alone, and ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private = 0x00020000, 1 << 18
    recursively = 1 << 14

    def apart() -> None:
        assert libc.unshare(new_namespace) == 0
        assert libc.mount(None, b"/", None, private | recursively, None) == 0

    words = [sys.executable, "-c", MOUNT, str(tmp_path)]
    done = subprocess.run(words, preexec_fn=apart, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, starts = done.stdout.splitlines()
    assert told.endswith("Read-only file system: mount its disk so that it can be written")
    assert starts == "starts"


@pytest.mark.parametrize(
    ("column", "value"),
    [("findings", '[{"kind": "of a later version"}]'), ("verdicts", '[{"odd": 1}]')],
)
def test_one_row_that_cannot_be_read_hides_no_other(
    tmp_path: Path, column: str, value: str
) -> None:
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    put(records, a_study(), a_workitem(id="good"), a_workitem(id="odd"))
    statement = sa.text(f"update workitem set {column} = :value where id = 'odd'")
    records.database.transact(lambda connection: connection.execute(statement, {"value": value}))
    [study] = views.studies(records, 1, False).studies
    shown = {item.id: item.reason for item in study.workitems}
    assert shown == {
        "good": "",
        "odd": "on record, and Hilum cannot read what it decided or found",
    }
    assert _ids(records.workitems.in_state(WorkitemState.SCHEDULED)) == ["good"]
    records.close()


def test_a_row_that_cannot_be_shown_at_all_is_told_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    put(records, a_study(), a_workitem(id="good"), a_workitem(id="odd"))
    statement = sa.text("update workitem set state = 'of a later version' where id = 'odd'")
    records.database.transact(lambda connection: connection.execute(statement))
    [study] = views.studies(records, 1, False).studies
    assert [item.id for item in study.workitems] == ["good"]
    assert "workitem odd on record cannot be read: state" in caplog.messages
    records.close()


def test_a_delivery_that_cannot_be_read_waits_for_a_person_and_holds_up_no_other(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, FolderDestinationSettings(name="pacs", folder=tmp_path / "pacs"))
    for name in ("odd", "good"):  # the odd one was owed first
        desk.owe(name, "pacs")
        desk.now += 1
    statement = sa.text("update delivery set attempts = 'many' where workitem_id = 'odd'")
    desk.records.database.transact(lambda connection: connection.execute(statement))
    desk.turn()
    assert [desk.state(name) for name in ("odd", "good")] == ["delivering", "completed"]
    desk.outbox.settle("odd")
    assert desk.records.workitems.one("odd").reason == "pacs (refused)"
    assert desk.delivery("odd").reason == "on record, and Hilum cannot read how it stands"
    assert (
        views.trace(desk.records, "1.2")[-1].kind == "parked"
    )  # what is tried again leaves it out
    desk.records.close()


def test_a_line_or_result_that_cannot_be_read_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    put(records, a_study(), a_workitem(id="a"))
    for name in ("good", "odd"):
        put(records, a_result("a", identity=name, path=Path(name)))
        records.events.add("1.2", EventKind.SERIES, name)
    for change in (
        "update event set kind = 'of a later version' where text = 'odd'",
        "update result set media_type = x'ff' where identity = 'odd'",
    ):
        records.database.transact(lambda c, change=change: c.execute(sa.text(change)))
    assert [line.text for line in views.trace(records, "1.2")] == ["good"]
    [study] = views.studies(records, 1, False).studies
    assert [result.identity for result in study.workitems[0].results] == ["good"]
    assert "event 2 on record cannot be read: kind" in caplog.messages
    assert "result odd on record cannot be read: media_type" in caplog.messages
    with pytest.raises(ValidationError):  # or a note would not name it
        records.results.of_workitem("a")
    records.close()


def _ids(items: list[Workitem]) -> list[str]:
    return [item.id for item in items]
