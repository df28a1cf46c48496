"""What a module leaves in its folder for temporary files is removed, whatever it is."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hilum.hosts.scratch import empty, make_scratch, remove

NOBODY = 65534
DEEP = 1100  # more than Python goes down
LETTERS = 4  # of a name: the whole path is longer than the system takes at once


def without_rights(folder: Path) -> None:
    for name, rights in (("hidden", 0o300), ("closed", 0o000), ("fixed", 0o500)):
        (folder / name).mkdir()
        (folder / name / "left").write_text("Marker^Patient")
        (folder / name).chmod(rights)


def deep(folder: Path) -> None:
    """By descriptors: the path is too long, and the way back to where we are may be closed."""
    inner = os.open(folder, os.O_DIRECTORY)
    for _ in range(DEEP):
        os.mkdir("d" * LETTERS, dir_fd=inner)
        outer, inner = inner, os.open("d" * LETTERS, os.O_DIRECTORY, dir_fd=inner)
        os.close(outer)
    os.close(os.open("left", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
    os.close(inner)


def linked(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent, target_is_directory=True)


def as_ordinary_user(work: Callable[[], None]) -> None:
    """Do it in a process that is not root: rights stop root in nothing."""
    if child := os.fork():
        _pid, status = os.waitpid(child, 0)
        assert status == 0
        return
    code = 1
    try:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()
        code = 0
    finally:
        os._exit(code)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that everybody reaches; that of pytest is closed to others."""
    name = tempfile.mkdtemp(dir="/tmp")
    Path(name).chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", name)
    yield Path(name)
    subprocess.run(["rm", "-rf", name], check=True)  # goes as deep as there is something


@pytest.mark.parametrize("leave", [without_rights, linked])
def test_nothing_is_left_of_a_run(home: Path, leave: Callable[[Path], None]) -> None:
    (home / "other").write_text("of somebody else")

    def work() -> None:
        scratch = make_scratch()
        leave(scratch)
        empty(scratch)
        assert list(scratch.iterdir()) == []
        leave(scratch)
        remove(scratch)
        assert not scratch.exists()

    as_ordinary_user(work)
    assert [path.name for path in home.iterdir()] == ["other"]


def test_what_a_killed_worker_left_keeps_no_other_from_its_work(home: Path) -> None:
    """Also more folders within each other than Python can go down."""

    def work() -> None:
        left = make_scratch()
        deep(left)
        _kin, pid, started, _ = left.name.rsplit("-", 3)
        left.rename(left.with_name(left.name.replace(f"-{pid}-{started}-", f"-{pid}-1-")))
        made = make_scratch()
        assert list(home.iterdir()) == [made]
        remove(made)

    as_ordinary_user(work)


def test_workers_that_start_at_once_remove_the_same_folders(home: Path) -> None:
    left = make_scratch()
    kin, _pid, _started, _ = left.name.rsplit("-", 3)
    remove(left)
    for number in range(200):
        (home / f"{kin}-{os.getpid()}-1-{number}").mkdir()
    with ThreadPoolExecutor(8) as workers:
        made = [one.result() for one in [workers.submit(make_scratch) for _ in range(8)]]
    assert sorted(home.iterdir()) == sorted(made)
