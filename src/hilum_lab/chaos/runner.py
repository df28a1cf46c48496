"""Injects faults one after the other, in as few networks as their plans allow."""

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from hilum.errors import HilumError
from hilum.records import views
from hilum_lab.chaos.ledger import Ledger
from hilum_lab.chaos.network import ClinicalNetwork
from hilum_lab.chaos.trial import Fault, Trial, TrialResult

log = logging.getLogger(__name__)


def run(
    faults: Sequence[Fault], templates: list[Path], whole: bool, keep: Path | None = None
) -> Iterator[TrialResult]:
    """The outcome of each of `faults`, as it comes; those of one plan follow each other.

    Each is counted again when its network ends, so that what is sent late, or twice, is found: an
    outcome may get worse until then. Logs and traces are copied to `keep`.
    """
    names = list(dict.fromkeys(fault.plan.name for fault in faults))
    for name in names:
        group = [fault for fault in faults if fault.plan.name == name]
        able = [fault for fault in group if not fault.skip()]
        yield from (TrialResult(f, skipped=f.skip()) for f in group if f not in able)
        yield from _run_in_networks(able, templates, whole, keep)


def _run_in_networks(
    faults: list[Fault], templates: list[Path], whole: bool, keep: Path | None
) -> Iterator[TrialResult]:
    """All of `faults`, which share a plan; a new network whenever one did not come back."""
    rest = faults
    while rest:
        done: list[tuple[TrialResult, Trial]] = []
        with ExitStack() as stack:
            try:
                network = stack.enter_context(ClinicalNetwork(rest[0].plan, templates, whole))
            except HilumError as error:
                fault, *rest = rest
                yield TrialResult(fault, problems=[f"the network did not start: {error}"])
                continue
            ledger = Ledger(network)
            while rest:
                fault, *rest = rest
                trial = Trial(fault, network, ledger)
                outcome = inject(trial)
                done.append((outcome, trial))
                yield outcome
                if fault.plan.last or not _is_mended(network, outcome):
                    break
            for outcome, trial in done:
                _count_again(outcome, trial)
            if keep:
                _keep_logs(network, [trial for _, trial in done], keep)


def inject(trial: Trial) -> TrialResult:
    """Inject the fault of `trial`, wait until all is well, count."""
    fault = trial.fault
    outcome = TrialResult(fault, problems=trial.problems)
    try:
        fault.inject(trial)
        outcome.recovery = trial.settle(fault.limit)
        outcome.count = trial.count()
    except (HilumError, httpx.HTTPError, OSError) as error:
        trial.complain(f"{type(error).__name__}: {error}")
    if trial.most_runs() > trial.most_inferences:
        trial.complain(f"a module ran {trial.most_runs()} times on the same images")
    _judge(outcome)
    return outcome


def _judge(outcome: TrialResult) -> None:
    count = outcome.count
    for number, what in (
        (count.lost, "accepted images lost"),
        (count.twice, "results twice"),
        (0 if outcome.fault.released else count.sent_again, "results sent again"),
    ):
        if number:
            outcome.problems.append(f"{number} {what}")


def _count_again(outcome: TrialResult, trial: Trial) -> None:
    """What came after the outcome was reported: a result that is sent twice may come late."""
    if outcome.recovery is None:
        return
    try:
        late = trial.count()
    except httpx.HTTPError as error:
        outcome.problems.append(f"cannot be counted again: {error}")
        return
    if (late.twice, late.sent_again) != (outcome.count.twice, outcome.count.sent_again):
        outcome.was_sent_late = True
        outcome.problems.append("more was sent after all had come right")
    outcome.count = late


def _is_mended(network: ClinicalNetwork, outcome: TrialResult) -> bool:
    """Whether the next fault finds the network whole."""
    network.mend()
    if outcome.recovery is None:
        return False  # what is still under way would disturb the next one
    try:
        network.hilum.wait_until_well()
    except HilumError as error:
        outcome.problems.append(str(error))
        return False
    return True


def _keep_logs(network: ClinicalNetwork, trials: list[Trial], keep: Path) -> None:
    """What Hilum wrote, and the trace of every study, to `keep`."""
    keep.mkdir(parents=True, exist_ok=True)
    name = f"{network.plan.name}-{time.strftime('%H%M%S')}"
    for source in (network.hilum.log, network.folder / "serve.log"):
        shutil.copy(source, keep / f"{name}-{source.name}")
    with (keep / f"{name}-traces.txt").open("w") as file:
        for trial in trials:
            for expected in trial.expected:
                file.write(f"{trial.fault.name}: study {expected.study.uid}\n")
                for line in views.trace(network.hilum.records, expected.study.uid):
                    clock = time.strftime("%T", time.localtime(line.at))
                    file.write(f"  {clock}  {line.kind:<12} {line.text}\n")
