"""Patient data are their owner's alone; every printed cure cures."""

import errno
import json
import os
import pwd
import shlex
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from factory import mr_slices, write
from hilum.alarms import alarms_now
from hilum.cli import app
from hilum.config import load, parse
from hilum.destinations import open_destination
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.destinations.folder import FolderDestinationSettings
from hilum.errors import ConfigurationError, DeliveryRefused
from hilum.privacy import OTHERS, denied, make_private, open_to_others
from hilum.records import Records
from hilum.service.supervisor import Supervisor
from hilum.testing import results_of
from tests.hosts.test_scratch import as_ordinary_user


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def apply_cure(text: str) -> None:
    """Do what the end of `text` says."""
    subprocess.run(shlex.split(text[text.index("chmod ") :]), check=True)


def test_a_data_folder_is_made_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    make_private(folder)
    assert mode(folder) == 0o700
    folder.chmod(0o755)
    make_private(folder)
    assert mode(folder) == 0o700


@pytest.mark.parametrize("rights", [0o755, 0o750, 0o701])
def test_a_data_folder_that_is_open_to_others_is_an_alarm_until_it_is_not(
    tmp_path: Path, rights: int
) -> None:
    site = parse({"data": tmp_path / "the data", "receiver": {"low_water_mb": 0}})
    make_private(site.data)
    with closing(Records("sqlite://")) as records:
        assert alarms_now(site, records) == []
        site.data.chmod(rights)
        (alarm,) = alarms_now(site, records)
        assert alarm.name == "folder"
        assert f"open to others (mode {rights:o})" in alarm.text
        apply_cure(f"{alarm.text}: {alarm.cure}")
        assert alarms_now(site, records) == []
    assert open_to_others(site.data) == ""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A password that everybody may read."""
    file = tmp_path / "pass word"
    file.write_text("open sesame")
    file.chmod(0o644)
    return file


def web(secret: Path) -> dict[str, Any]:
    """An account at an address where nobody listens."""
    address = {"kind": "dicomweb", "url": "http://127.0.0.1:9"}
    return {"name": "web", **address, "username": "hilum", "password_file": secret}


def test_a_password_that_others_may_read_is_not_used(tmp_path: Path, secret: Path) -> None:
    settings = DicomwebDestinationSettings(**web(secret))
    files = write(mr_slices(count=1, shape=(4, 4)), tmp_path / "exam")
    with pytest.raises(DeliveryRefused, match="others may read") as refused:
        list(open_destination(settings).send(results_of(files)))
    apply_cure(str(refused.value))
    with pytest.raises(Exception, match="cannot be reached"):
        list(open_destination(settings).send(results_of(files)))


RIGHTS = [(0o600, True), (0o400, True), (0o640, False), (0o644, False), (0o601, False)]


@pytest.mark.parametrize("kind", ["destination", "source"])
@pytest.mark.parametrize(("rights", "is_private"), RIGHTS)
def test_nothing_starts_with_a_password_that_others_may_read(
    tmp_path: Path, secret: Path, rights: int, is_private: bool, kind: str
) -> None:
    secret.chmod(rights)
    site = parse({"data": tmp_path / "data", kind: [web(secret)]})
    if not is_private:
        with pytest.raises(ConfigurationError, match="web: password_file: others may") as stopped:
            Supervisor(site)
        assert len(str(stopped.value).splitlines()) == 1
        apply_cure(str(stopped.value))
    Supervisor(site)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_nothing_starts_with_a_password_that_cannot_be_read(
    tmp_path: Path, secret: Path, content: bytes | None
) -> None:
    secret.unlink()
    if content is not None:
        secret.write_bytes(content)
        secret.chmod(0o600)
    site = parse({"data": tmp_path / "data", "destination": [web(secret)]})
    with pytest.raises(ConfigurationError, match="write the password into it"):
        Supervisor(site)
    secret.write_text("open sesame")
    secret.chmod(0o600)
    Supervisor(site)


def test_a_destination_that_we_cannot_ask_does_not_answer(tmp_path: Path, secret: Path) -> None:
    """Nothing listens there, and it was said to answer: our own objection was taken for its."""
    account = {key: str(value) for key, value in web(secret).items()}
    lines = [f"{key} = {json.dumps(value)}" for key, value in account.items()]
    config = tmp_path / "hilum.toml"
    data = f"data = {json.dumps(str(tmp_path / 'data'))}"
    config.write_text("\n".join([data, "[[destination]]", *lines]))
    asked = CliRunner().invoke(app, ["destinations", "--config", str(config)])
    assert asked.exit_code == 1
    assert "settings: web: password_file: others may read or write" in asked.stdout
    apply_cure(asked.stdout.rstrip())
    asked = CliRunner().invoke(app, ["destinations", "--config", str(config)])
    assert (asked.exit_code, "settings: " in asked.stdout) == (1, False)


@pytest.mark.parametrize(
    ("setting", "of_file", "of_folder"),
    [("0600", 0o600, 0o700), ("0640", 0o640, 0o750), ("644", 0o644, 0o755)],
)
def test_a_folder_that_others_collect_from(
    tmp_path: Path, setting: str, of_file: int, of_folder: int
) -> None:
    out = tmp_path / "out"
    settings = FolderDestinationSettings(name="out", folder=out, mode=setting)
    files = write(mr_slices(count=2, shape=(4, 4)), tmp_path / "exam")
    before = os.umask(0o077)
    try:
        destination = open_destination(settings)
        assert destination.is_reachable()
        list(destination.send(results_of(files)))
    finally:
        os.umask(before)
    assert destination.ask(results_of(files)).missing == ()
    assert {mode(path) for path in out.rglob("*.dcm")} == {of_file}
    assert {mode(out), *map(mode, out.iterdir())} == {of_folder}


@pytest.mark.parametrize("rights", ["0400", "777", "rw-r--r--", "0o600"])
def test_rights_that_are_none_are_named(rights: str) -> None:
    destination = {"name": "out", "kind": "folder", "folder": "out", "mode": rights}
    with pytest.raises(ConfigurationError, match="mode"):
        parse({"destination": [destination]})


PROGRAM = """
import ctypes, os, resource, sys
from pathlib import Path
from hilum.processes.hints import HintReceiver, HintSender, Started
from hilum.processes.process import descendants, keep_private, own_start_time
if os.geteuid() == 0:  # as somebody without rights: root may read everything anyway
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
keep_private()
folder = Path(sys.argv[1])
(folder / "file").write_text("x")
assert resource.getrlimit(resource.RLIMIT_CORE) == (1, 1), 'which no program gets a core by'
assert ctypes.CDLL(None).prctl(3) == 0, "it may be dumped"  # PR_GET_DUMPABLE
child = os.fork()
if not child:
    ctypes.CDLL(None).pause()
# nothing in /proc that we need is out of reach
assert child in descendants(os.getpid()) and own_start_time()
hints = HintReceiver(folder / "hints")
assert HintSender(folder / "hints").send(Started())
assert hints.receive(10)
os.kill(child, 9)
os._exit(0)
"""


def test_a_process_leaves_no_core_and_still_finds_its_way(tmp_path: Path) -> None:
    import hilum

    folder = Path("/tmp") / f"hilum-test-{os.getpid()}"
    folder.mkdir()
    try:
        folder.chmod(0o777)
        source = Path(hilum.__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        said = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert (said.returncode, said.stderr) == (0, "")
        assert mode(folder / "file") & OTHERS == 0
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_who_may_not_read_is_told_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied")
    inside = tmp_path / "not there" / "hilum.db"
    assert denied(refused, inside) == "Permission denied", "it is ours"
    me = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 123456)
    told = f"Permission denied: it belongs to {me}, so run this as {me} (`sudo -u {me} ...`)"
    assert denied(refused, inside) == told
    assert denied(OSError(errno.ENOSPC, "No space left"), inside) == "No space left"


def test_who_may_not_read_the_settings_is_told_whose_they_are(tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").touch(0o600)
    me = pwd.getpwuid(os.geteuid()).pw_name

    def work() -> None:
        with pytest.raises(ConfigurationError, match=f"denied: it belongs to {me}, so run"):
            load(tmp_path / "hilum.toml")

    if os.geteuid() == 0:
        as_ordinary_user(work)
