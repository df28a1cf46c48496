"""No process outlives its parent, however early that dies."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hilum.process import (
    descendants,
    die_with_parent,
    fork_server,
    is_alive,
    lasting,
    start_time,
)
from hilum.service.roles import PROCESSES
from tests.patience import PATIENCE, until


def _grandchild(seconds: float, pipe) -> None:
    time.sleep(seconds)
    die_with_parent()
    pipe.send("asked")
    time.sleep(PATIENCE)


def _child(seconds: float, pipe) -> None:
    grandchild = multiprocessing.get_context("spawn").Process(
        target=_grandchild, args=(seconds, pipe)
    )
    grandchild.start()
    pipe.send(grandchild.pid)
    time.sleep(PATIENCE)


@pytest.mark.parametrize("seconds", [0, 2], ids=["asked in time", "asked too late"])
def test_a_process_goes_with_its_parent(seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(seconds, theirs))
    child.start()
    grandchild = ours.recv()
    started = start_time(grandchild)
    assert is_alive(grandchild, started)
    if not seconds:
        assert ours.recv() == "asked"
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert _ends(grandchild, started)


def _ends(pid: int, started: str) -> bool:
    """Whether the process that began at `started` is gone soon."""
    return until(lambda: not is_alive(pid, started), f"the end of process {pid}")


def _named(pipe) -> None:
    die_with_parent()
    pipe.send("ready")
    time.sleep(PATIENCE)


def test_ps_shows_what_a_process_is() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_named, args=(theirs,), name="hilum some role of many letters")
    child.start()
    assert ours.recv() == "ready"
    assert descendants(os.getpid())[child.pid] == "hilum some role"
    child.kill()
    child.join()
    assert child.pid not in descendants(os.getpid())


def test_a_sigterm_to_all_of_us_leaves_what_forks_us_until_we_are_done() -> None:
    for _ in range(2):  # the second time it is the successor of a server that died
        ours, theirs = multiprocessing.Pipe()
        child = fork_server(PROCESSES).Process(target=_named, args=(theirs,))
        child.start()
        assert ours.recv() == "ready"
        server = _server_of(child.pid)
        os.kill(server, signal.SIGTERM)
        time.sleep(0.5)
        assert child.is_alive()
        child.terminate()
        child.join(PATIENCE)
        assert child.exitcode == -signal.SIGTERM
        os.kill(server, signal.SIGKILL)
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)


def _collecting(pipe) -> None:
    die_with_parent()
    pipe.send((gc.isenabled(), gc.get_freeze_count()))


def test_what_is_forked_looks_for_garbage_only_among_its_own() -> None:
    ours, theirs = multiprocessing.Pipe()
    child = fork_server(PROCESSES).Process(target=_collecting, args=(theirs,))
    child.start()
    is_looking, left_out = ours.recv()
    child.join(PATIENCE)
    assert is_looking
    assert left_out > 10_000


def test_what_is_imported_to_last_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()
    with lasting():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)


def test_the_folder_for_temporary_files_may_be_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep " * 20)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    program = (
        "import tempfile; from hilum.process import fork_server\n"
        "child = fork_server('hilum.process').Process(target=print, args=('forked',))\n"
        "child.start(); child.join(); print(tempfile.gettempdir())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (said.stdout, said.stderr) == (f"forked\n{deep}\n", "")


@pytest.mark.parametrize("victim", ["whoever asked for it", "the fork server"])
def test_what_was_forked_goes_with(victim: str) -> None:
    ours, theirs = multiprocessing.Pipe()
    asking = multiprocessing.get_context("spawn").Process(target=_asking, args=(theirs,))
    asking.start()
    try:
        child, server = ours.recv()
        started = start_time(child)
        os.kill(server if victim == "the fork server" else asking.pid, signal.SIGKILL)
        assert _ends(child, started)
    finally:
        asking.kill()
        asking.join()


def _asking(pipe) -> None:
    ours, theirs = multiprocessing.Pipe()
    child = fork_server("hilum.process").Process(target=_busy, args=(theirs,))
    child.start()
    assert ours.recv() == "ready"
    pipe.send((child.pid, _server_of(child.pid)))
    time.sleep(PATIENCE)


def _busy(pipe) -> None:
    die_with_parent()
    pipe.send("ready")
    sum(range(10**10))  # never lets another thread of its own run


def _server_of(child: int) -> int:
    (server,) = (pid for pid in descendants(os.getpid()) if child in descendants(pid))
    return server
