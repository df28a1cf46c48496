"""Patient data are their owner's alone; every printed cure cures."""

import os
import shlex
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.config import parse
from hilum.config.site import Destination
from hilum.destinations import open_destination
from hilum.errors import ConfigurationError, DeliveryRefused
from hilum.inbox.privacy import OTHERS, make_private, open_to_others
from hilum.records import Records, views


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
        assert views.alarms(site, records) == []
        site.data.chmod(rights)
        (alarm,) = views.alarms(site, records)
        assert alarm["name"] == "folder"
        assert f"open to others (mode {rights:o})" in alarm["text"]
        apply_cure(alarm["text"])
        assert views.alarms(site, records) == []
    assert open_to_others(site.data) == ""


def test_a_password_that_everybody_may_read_is_not_used(tmp_path: Path) -> None:
    secret = tmp_path / "pass word"
    secret.write_text("open sesame")
    secret.chmod(0o644)
    settings = Destination(
        name="web",
        kind="dicomweb",
        url="http://127.0.0.1:9",
        username="hilum",
        password_file=secret,
    )
    files = write(mr_slices(count=1, shape=(4, 4)), tmp_path / "exam")
    with pytest.raises(DeliveryRefused, match="everybody may read") as refused:
        open_destination(settings).send(files)
    apply_cure(str(refused.value))
    with pytest.raises(Exception, match="cannot be reached"):
        open_destination(settings).send(files)


@pytest.mark.parametrize(
    ("setting", "of_file", "of_folder"),
    [("0600", 0o600, 0o700), ("0640", 0o640, 0o750), ("644", 0o644, 0o755)],
)
def test_a_folder_that_others_collect_from(
    tmp_path: Path, setting: str, of_file: int, of_folder: int
) -> None:
    out = tmp_path / "out"
    settings = Destination(name="out", kind="folder", folder=out, mode=setting)
    files = write(mr_slices(count=2, shape=(4, 4)), tmp_path / "exam")
    before = os.umask(0o077)
    try:
        destination = open_destination(settings)
        assert destination.answers()
        destination.send(files)
    finally:
        os.umask(before)
    assert destination.missing(files) == []
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
from hilum.hints import HintReceiver, HintSender, Started
from hilum.process import descendants, keep_private, own_start_time
keep_private()
folder = Path(sys.argv[1])
(folder / "file").write_text("x")
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
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
    """As somebody without rights, if we have them: root may read everything anyway."""
    import hilum

    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path("/tmp") / f"hilum-test-{os.getpid()}"
    folder.mkdir()
    try:
        folder.chmod(0o777)
        source = Path(hilum.__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, **user)
        assert (said.returncode, said.stderr) == (0, "")
        assert mode(folder / "file") & OTHERS == 0
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
