"""Images are compared in a process of its own, which may die without harm."""

import os
import signal
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.config.site import Worker
from hilum.patients.comparer import LOST, UNREADABLE, Comparer, FilePair
from hilum.processes.process import descendants, fork_server
from tests.patience import until


def answers(comparer: Comparer) -> list[str]:
    """What is said of each pair, in their order."""
    said: list[str] = []

    def done() -> bool:
        said.extend(text for _, text in comparer.results())
        return not comparer.is_busy

    until(done, "the comparer")
    return said


def test_pairs_are_judged_one_by_one(tmp_path: Path) -> None:
    one, other = write(mr_slices(count=2), tmp_path)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(one.read_bytes()[:-100])
    comparer = Comparer(Worker())
    comparer.start([FilePair(one, one), FilePair(broken, one), FilePair(other, one)])
    assert answers(comparer) == ["", UNREADABLE, "geometry"]
    comparer.start([FilePair(one, one)])  # and it can begin anew
    assert answers(comparer) == [""]


@pytest.fixture
def endless(tmp_path: Path) -> FilePair:
    """A pair whose comparison has no end: to open it takes until somebody writes."""
    silent = tmp_path / "silent"
    os.mkfifo(silent)
    return FilePair(silent, silent)


def test_a_pair_that_ends_the_process_is_lost(endless: FilePair) -> None:
    comparer = Comparer(Worker())
    comparer.start([endless, endless])
    assert comparer._process is not None
    os.kill(comparer._process.pid or 0, signal.SIGKILL)
    assert answers(comparer) == [LOST]


def test_a_pair_that_takes_too_long_is_lost(endless: FilePair) -> None:
    comparer = Comparer(Worker(timeout_seconds=0.001))
    comparer.start([endless])
    assert answers(comparer) == [LOST]


def _compare_without_end(pair: FilePair) -> None:
    """Be a gateway, forked as `hilum serve` forks it, whose comparison takes its time."""
    comparer = Comparer(Worker())
    comparer.start([pair])
    signal.pause()


def test_a_comparison_ends_with_the_gateway_and_comes_from_the_same_fork_server(
    endless: FilePair,
) -> None:
    gateway = fork_server("hilum.patients.comparer").Process(
        target=_compare_without_end, args=(endless,), name="hilum gateway"
    )
    gateway.start()

    def comparisons() -> list[int]:
        return [pid for pid, name in descendants(os.getpid()).items() if name == "hilum compare"]

    until(comparisons, "the comparison")
    assert descendants(gateway.pid or 0) == {}, "no fork server of its own"
    gateway.kill()
    gateway.join()
    until(lambda: not comparisons(), "the end of the comparison")
