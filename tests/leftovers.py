"""Which processes the tests have started and not ended, whoever is their parent by now."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import gettempdir

from hilum.processes.process import descendants, fork_server_pid
from tests import guard
from tests.patience import PATIENCE

MARK = "HILUM_STARTED_BY_TEST_PROCESS"  # an environment variable, which every child inherits

_guards: set[int] = set()  # they end last


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """From now on, whatever this process starts can be recognised, and does not outlive it.

    Nor does what is mounted below `folder`, should this process be killed. One of several that
    share the tests does not outlive the one that has begun them.
    """
    public = public_folder()
    public.mkdir()
    pids = [os.getpid(), os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()]
    words = [sys.executable, "-I", guard.__file__, *pids, _mark(), folder, public]
    with subprocess.Popen([*map(str, words)], start_new_session=True) as guarding:
        _guards.add(guarding.pid)
        os.environ[MARK] = str(os.getpid())
        try:
            yield
        finally:
            guarding.kill()
            _guards.discard(guarding.pid)
            shutil.rmtree(public)


def public_folder() -> Path:
    """A folder of this run that other users may enter; nobody else enters those of pytest."""
    return Path(gettempdir(), f"hilum-tests-{os.getpid()}")


def left_over(seconds: float = PATIENCE) -> dict[int, str]:
    """The command lines of all processes that should have ended, once they had `seconds` for it.

    multiprocessing keeps a fork server and a resource tracker for as long as this process lives;
    what the fork server has forked counts.
    """
    deadline = time.monotonic() + seconds
    while (found := _running()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _running() -> dict[int, str]:
    lasting = {os.getpid(), fork_server_pid(), resource_tracker._resource_tracker._pid, *_guards}
    found = {}
    for pid in {*descendants(os.getpid()), *guard.marked(_mark())} - lasting:
        with suppress(OSError):  # it has ended meanwhile
            # empty for a process that has ended and was not waited for
            if line := Path(f"/proc/{pid}/cmdline").read_bytes():
                about = Path(f"/proc/{pid}/stat").read_text().split(" ", 4)[1:4]
                words = line.replace(b"\0", b" ").decode(errors="replace").strip()
                found[pid] = f"{' '.join(about)}: {words}"  # its name, its state, its parent
    return found


def _mark() -> str:
    return f"{MARK}={os.getpid()}"
