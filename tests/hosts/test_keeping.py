"""The keeper of a module: nothing that the module has started outlives it, whoever is killed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import hilum
from locks import held, is_free
from patience import PATIENCE, until

KEPT = Path(__file__).with_name("kept.py")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
USERS = ["us"]
if os.getuid() == 0 and shutil.which("setpriv"):
    USERS.append("nobody")


class Kept:
    """A keeper whose module has started all that it starts."""

    def __init__(self, system: str, ending: str, user: str, lock: Path) -> None:
        if user == "nobody" and not all(p.stat().st_mode & 0o005 == 0o005 for p in KEPT.parents):
            pytest.skip("nobody else may read this checkout")
        reader, self.worker = os.pipe()
        by = NOBODY if user == "nobody" else []
        with held(lock) as descriptor:
            numbers = [str(reader), str(descriptor)]
            self.keeper = subprocess.Popen(
                [*by, sys.executable, str(KEPT), *numbers, system, ending],
                pass_fds=(reader, descriptor),
                stdout=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(Path(hilum.__file__).parent.parent)},
            )
        os.close(reader)
        self.lock = lock

    def has_begun(self) -> int:
        """Wait until the module has started all; the number that it has itself."""
        assert self.keeper.stdout is not None
        number = int(self.keeper.stdout.readline())
        assert not is_free(self.lock)
        return number


@contextmanager
def kept(system: str, ending: str, user: str = "us") -> Iterator[Kept]:
    with TemporaryDirectory() as name:
        begun = Kept(system, ending, user, Path(name) / "lock")
        try:
            yield begun
        finally:
            begun.keeper.kill()
            begun.keeper.communicate()
            os.close(begun.worker)


@pytest.mark.parametrize(
    ("system", "user"), [("forbids", "us"), *(("allows", user) for user in USERS)]
)
def test_nothing_outlives_a_worker(system: str, user: str) -> None:
    with kept(system, "hangs", user) as begun:
        begun.has_begun()
        os.close(begun.worker)
        begun.worker = os.open(os.devnull, os.O_RDONLY)
        begun.keeper.wait(PATIENCE)
        assert is_free(begun.lock)


@pytest.mark.parametrize(
    ("system", "ending", "code"),
    [("forbids", "exits", 3), ("allows", "exits", 3), ("allows", "aborts", -signal.SIGABRT)],
)
def test_nothing_outlives_a_module_and_how_it_ended_is_told(
    system: str, ending: str, code: int
) -> None:
    with kept(system, ending) as begun:
        assert begun.keeper.wait(PATIENCE) == code
        assert is_free(begun.lock)


def test_in_a_namespace_nothing_outlives_its_keeper() -> None:
    with kept("allows", "hangs") as begun:
        if begun.has_begun() != 2:
            pytest.skip("this system allows no namespace")
        begun.keeper.kill()
        until(lambda: is_free(begun.lock), "the end of all processes")
