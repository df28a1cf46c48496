"""Every fault of `hilum chaos`: nothing accepted is lost or sent twice, and all heals by itself.

The usual run injects those called quick; `--chaos` injects all of them, which takes half an hour.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum_lab.chaos.command import templates
from hilum_lab.chaos.registry import known_faults
from hilum_lab.chaos.runner import run
from hilum_lab.chaos.trial import Fault, TrialResult

FAULTS = sorted(known_faults(), key=lambda fault: fault.plan.name)  # one network after the other
SHARED = Path(os.environ.get("HILUM_SHARED", Path(__file__).parents[3] / "shared"))


class Running:
    """The outcomes of the selected faults; each is made when it is asked for."""

    def __init__(self, faults: list[Fault]) -> None:
        real = SHARED / "data" / "studies"
        exams = [real / "Study1", real / "Study2"] if real.is_dir() else []
        self.so_far: list[TrialResult] = []
        self.rest = run(faults, templates(exams), whole=False)

    def next(self) -> TrialResult:
        self.so_far.append(next(self.rest))
        return self.so_far[-1]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    faults = [i.callspec.params["fault"] for i in request.session.items if _injects(i)]
    running = Running(faults)
    yield running
    running.rest.close()


def _injects(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == test_fault.__name__


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name, marks=() if fault.quick else pytest.mark.chaos)
        for fault in FAULTS
    ],
)
def test_fault(fault: Fault, running: Running) -> None:
    outcome = running.next()
    assert outcome.fault is fault
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.good, outcome.problems


def test_nothing_is_sent_later(running: Running) -> None:
    """Each network was counted again at its end; what is sent twice may be sent late."""
    assert not list(running.rest)
    late = [outcome for outcome in running.so_far if outcome.was_sent_late]
    assert not late, [outcome.fault.name for outcome in late]
