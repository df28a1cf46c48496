"""What a module has started ends with it: after a run that fails, and whoever is killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hilum.config.site import Worker
from hilum.control_groups import MemoryGroup
from hilum.errors import ModuleCancelled, ModuleCrashed
from hilum.hosts import Host, Job, Place, in_child, open_host
from hilum.hosts.discovery import installed_module
from hilum.process import fork_server
from hilum.service.roles import PROCESSES
from hilum.testing import job_of, write_series
from locks import is_free
from patience import until
from plugin import install_plugin

BREEDING = """
    import fcntl, os, signal, subprocess, time
    from pathlib import Path
    from hilum import Input, Note

    FOLDER = Path(__file__).parent / "open"

    def hide():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for leave in (os.setsid, lambda: os.setpgid(0, 0)):
            try:
                leave()
            except OSError:
                pass  # the walls say no
        (FOLDER / "begun").touch()
        time.sleep(3600)

    class Module:
        name, version, needs, processes = "breeding", "1", Input("MR"), True

        def run(self, series):
            lock = (FOLDER / "lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_SH)
            os.set_inheritable(lock.fileno(), True)
            subprocess.Popen(["/bin/sleep", "3600"], close_fds=False)
            if os.fork() == 0:
                if os.fork() == 0:
                    hide()
                os._exit(0)
            os.wait()
            mood = series.description.split()[-1]
            if mood == "eats":  # with each of its processes within the limit of one
                for _ in range(9):
                    if os.fork() == 0:
                        held = b"x" * (100 << 20)
                        time.sleep(3600)
                time.sleep(3600)
            if mood == "aborts":
                while not (FOLDER / "begun").exists():
                    time.sleep(0.01)
                os.abort()
            if mood == "hangs":
                time.sleep(3600)
            yield Note("well")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the module may write to; in the end, nothing that it started lives."""
    install_plugin(tmp_path / "plugin", monkeypatch, BREEDING, "breeding")
    open_to_it = tmp_path / "plugin" / "open"
    open_to_it.mkdir()
    yield open_to_it
    assert (open_to_it / "begun").exists(), "or nothing was tried"
    until(lambda: is_free(open_to_it / "lock"), "the end of all that was started")


def opened(folder: Path, seconds: float = 60) -> Host:
    limits = Worker(memory_mb=512, timeout_seconds=seconds)
    return open_host(in_child("breeding", folders=[folder]), Place(limits))


def job(folder: Path, mood: str) -> Job:
    files = write_series(folder.parent / mood, count=3, SeriesDescription=mood)
    return job_of(installed_module("breeding"), files, folder.parent / f"out-{mood}")


def test_nothing_is_left_of_a_module_that_is_closed(folder: Path) -> None:
    with closing(opened(folder)) as host:
        host.run(job(folder, "well"))
        until((folder / "begun").exists, "what was started")
    assert is_free(folder / "lock"), "before anything else is done"


@pytest.mark.parametrize(
    ("mood", "seconds", "is_wanted", "words"),
    [
        ("hangs", 3, lambda _begun: True, "ran for more than 3 s"),
        ("hangs", 60, lambda begun: not begun.exists(), "no longer wanted"),
        ("aborts", 60, lambda _begun: True, r"exit code -6\).*a fresh process failed, too"),
    ],
)
def test_nothing_is_left_of_a_run_that_is_ended(
    folder: Path, mood: str, seconds: float, is_wanted: Callable[[Path], bool], words: str
) -> None:
    with closing(opened(folder, seconds)) as host:
        with pytest.raises((ModuleCrashed, ModuleCancelled), match=words):
            host.run(job(folder, mood), lambda: is_wanted(folder / "begun"))
        assert is_free(folder / "lock")


def test_processes_that_together_take_too_much_memory_are_ended_and_named(folder: Path) -> None:
    group = MemoryGroup.make(1 << 30)
    if group is None:
        pytest.skip("this system lets us make no control group")
    home = group.folder.parent
    group.close()
    # at the limit the kernel may refuse a process its memory before it kills one
    words = "(needed more than 512 MiB of memory together|raised MemoryError in .*); a fresh"
    with closing(opened(folder)) as host, pytest.raises(ModuleCrashed, match=words):
        host.run(job(folder, "eats"))
    assert list(home.glob(f"hilum-module-*-{os.getpid()}-*")) == []


def _work(asked: Job, folder: Path) -> None:
    """Be a worker, forked as `hilum serve` forks it."""
    opened(folder).run(asked)


def test_nothing_outlives_a_worker_that_is_killed(folder: Path) -> None:
    worker = fork_server(PROCESSES).Process(
        target=_work, args=(job(folder, "hangs"), folder), name="hilum worker"
    )
    worker.start()
    until((folder / "begun").exists, "what was started")
    assert not is_free(folder / "lock")
    worker.kill()
    worker.join()


SERVICE = """
import sys
from pathlib import Path
from tests.hosts.test_started import job, opened

folder = Path(sys.argv[1])
opened(folder).run(job(folder, "hangs"))
"""


def test_nothing_outlives_a_service_that_is_killed(folder: Path) -> None:
    """It and its fork server, from which the module's process comes."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([os.environ["PYTHONPATH"], root, f"{root}/tests"])
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(folder)], env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        until((folder / "begun").exists, "what was started")
        assert not is_free(folder / "lock")
    finally:
        service.kill()
        service.wait()
