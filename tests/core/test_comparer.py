"""Images are compared in a process of its own, which may die without harm."""

import os
import signal
from pathlib import Path

from factory import mr_slices, write
from hilum.comparer import LOST, UNREADABLE, Comparer, FilePair
from hilum.config.site import Worker
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


def test_a_pair_that_ends_the_process_is_lost(tmp_path: Path) -> None:
    one, other = write(mr_slices(count=2), tmp_path)
    comparer = Comparer(Worker())
    comparer.start([FilePair(one, one), FilePair(other, other)])
    assert comparer._process is not None
    os.kill(comparer._process.pid or 0, signal.SIGKILL)
    assert answers(comparer) == [LOST]


def test_a_pair_that_takes_too_long_is_lost(tmp_path: Path) -> None:
    (one,) = write(mr_slices(count=1), tmp_path)
    comparer = Comparer(Worker(timeout_seconds=0.001))
    comparer.start([FilePair(one, one)])
    assert answers(comparer) == [LOST]
