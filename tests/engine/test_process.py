"""No process outlives its parent, however early that dies."""

import multiprocessing
import os
import signal
import time

import pytest

from hilum.engine.process import descendants, die_with_parent, is_alive, start_time


def _grandchild(seconds: float) -> None:
    time.sleep(seconds)
    die_with_parent()
    time.sleep(60)


def _child(seconds: float, pipe) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_grandchild, args=(seconds,))
    process.start()
    pipe.send(process.pid)
    time.sleep(60)


@pytest.mark.parametrize("seconds", [0, 2], ids=["asked in time", "asked too late"])
def test_a_process_goes_with_its_parent(seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(seconds, theirs))
    child.start()
    grandchild = ours.recv()
    started = start_time(grandchild)
    time.sleep(1 if seconds else 4)
    assert is_alive(grandchild, started)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    deadline = time.monotonic() + 20
    while is_alive(grandchild, started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(grandchild, started)


def _named(pipe) -> None:
    die_with_parent()
    pipe.send("ready")
    time.sleep(60)


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
