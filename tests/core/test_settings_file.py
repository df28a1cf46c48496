"""hilum.toml is replaced whole or not at all, by one person at a time, and stays whose it was."""

import os
import shlex
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hilum.config import load
from hilum.config.file import ChangedMeanwhile, SettingsFile
from hilum.config.site import Site
from hilum.errors import ConfigurationError

OLD = "# ours\r\n[retention]\r\ndays = 3 # few\r\n"
NEW = OLD.replace("3", "4")
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs several users")


def well(_site: Site) -> None:
    """Nothing is wrong with it."""


def ill(_site: Site) -> None:
    raise ConfigurationError("no such module")


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    path = tmp_path / "hilum.toml"
    path.write_bytes(OLD.encode())
    return SettingsFile(path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_user(number: int) -> Iterator[None]:
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_new_text_is_there_byte_for_byte_and_nothing_else(file: SettingsFile) -> None:
    site = file.replace(file.read(), NEW, well)
    assert file.path.read_bytes() == NEW.encode()
    assert site.retention.days == load(file.path).retention.days == 4
    assert list(file.path.parent.iterdir()) == [file.path]


@as_root
def test_owner_and_rights_stay(file: SettingsFile) -> None:
    os.chown(file.path, 33, 34)
    file.path.chmod(0o640)
    file.replace(file.read(), NEW, well)
    status = file.path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (33, 34, 0o640)


def test_a_link_stays_a_link(file: SettingsFile, tmp_path: Path) -> None:
    link = tmp_path / "etc" / "hilum.toml"
    link.parent.mkdir()
    link.symlink_to("../hilum.toml")
    SettingsFile(link).replace(file.read(), NEW, well)
    assert link.is_symlink()
    assert file.read().text == NEW
    assert list(link.parent.iterdir()) == [link]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[retention]\ndays = -1\n", "retention.days"),
        ("[retention", "not TOML"),
        (NEW, "no such mo"),
    ],
)
def test_what_cannot_be_used_is_not_saved(file: SettingsFile, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        file.replace(file.read(), text, ill)
    assert file.read().text == OLD


def test_the_second_of_two_editors_is_refused(file: SettingsFile) -> None:
    mine = yours = file.read()
    file.replace(mine, NEW, well)
    with pytest.raises(ChangedMeanwhile, match="nothing of yours was saved"):
        file.replace(yours, OLD.replace("3", "5"), well)
    assert file.read().text == NEW
    file.replace(file.read(), OLD.replace("3", "5"), well)
    assert load(file.path).retention.days == 5


def test_of_many_editors_at_once_one_wins(file: SettingsFile) -> None:
    before = file.read()
    together = threading.Barrier(8)
    saved: list[str] = []

    def save(number: int) -> None:
        text = OLD.replace("3", str(number))
        together.wait()
        try:
            file.replace(before, text, well)
        except ChangedMeanwhile:
            return
        saved.append(text)

    editors = [threading.Thread(target=save, args=(number,)) for number in range(10, 18)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert saved == [file.read().text]


@as_root
def test_a_file_that_is_not_ours_is_read_only_and_the_cure_cures(open_folder: Path) -> None:
    file = SettingsFile(open_folder / "hilum.toml")
    file.path.write_text(OLD)
    with as_user(NOBODY):
        assert "read-only for nobody" in file.why_read_only()
        with pytest.raises(ConfigurationError, match="change it by hand"):
            file.replace(file.read(), NEW, well)
    file.path.chmod(0o666)
    with as_user(NOBODY):
        assert "may not put a file into" in file.why_read_only()
    os.chown(open_folder, NOBODY, NOBODY)
    with as_user(NOBODY):
        problem = file.why_read_only()
    assert "belongs to root, and would not any more" in problem
    cure = problem.split("`")[1]
    subprocess.run(shlex.split(cure), check=True)
    with as_user(NOBODY):
        assert file.why_read_only() == ""
        file.replace(file.read(), NEW, well)
    assert file.path.stat().st_uid == NOBODY


def test_a_file_that_is_mounted_by_itself_is_said_to_be(file: SettingsFile, tmp_path: Path) -> None:
    """As in a container that was given only the file."""
    unshare = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*unshare, "mount", "--bind", tmp_path, tmp_path], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    given = tmp_path / "given.toml"
    given.write_text(OLD)
    script = f'mount --bind {given} {file.path} && exec {sys.executable} -c "$CODE"'
    code = (
        "from pathlib import Path\n"
        "from hilum.config.file import SettingsFile\n"
        f"file = SettingsFile(Path({str(file.path)!r}))\n"
        "try:\n"
        "    file.replace(file.read(), 'data = \"x\"', lambda site: None)\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    command = [*unshare, "sh", "-c", script]
    done = subprocess.run(command, env=os.environ | {"CODE": code}, capture_output=True, text=True)
    assert "mount the folder that it lies in" in done.stdout, done.stderr


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match="`hilum init` writes one"):
        SettingsFile(Path("/nowhere/hilum.toml")).read()
