"""What walls cost: milliseconds of a processor to raise them, and the time of a call behind them.

python bench/walls.py [--runs 20]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hilum.hosts.discovery import installed_module
from hilum.hosts.reaching import files_of
from hilum.hosts.walls import Reach, calls, files, limits
from hilum.hosts.walls.kernel import machine
from hilum.module.protocol import weights_of

MODULE = "hippocampal-volume"
CALLS = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    module = installed_module(MODULE)
    with tempfile.TemporaryDirectory() as scratch:
        reach = Reach(Path(scratch), tuple(files_of("hilum", weights_of(module), None, None)))
        steps = {
            "limits": lambda: limits.limit(8192, False),
            "namespaces": lambda: limits.leave_namespaces(False),
            "capabilities": limits.drop_capabilities,
            "files (Landlock)": lambda: files.restrict(reach._allowed(), files.abi(), False),
            "calls (seccomp)": _filter,
        }
        for name, step in {**steps, "all of them": reach.confine}.items():
            print(f"{name}: {_median(step, runs):.2f} ms")
        print(f"a call without walls: {_in_child(_time_of_a_call):.0f} ns")
        print(f"a call behind walls: {_in_child(lambda: _behind(reach)):.0f} ns")


def _filter() -> None:
    here = machine()
    assert here
    denied = calls.rules(calls.Allowed(), True, os.getpid())
    calls.install(calls.program(denied, here), here)


def _median(step: Callable[[], object], runs: int) -> float:
    return statistics.median(_in_child(lambda: _milliseconds(step)) for _ in range(runs))


def _milliseconds(step: Callable[[], object]) -> float:
    began = time.process_time()
    step()
    return 1000 * (time.process_time() - began)


def _behind(reach: Reach) -> float:
    reach.confine()
    return _time_of_a_call()


def _time_of_a_call() -> float:
    began = time.process_time()
    for _ in range(CALLS):
        os.getppid()
    return 1e9 * (time.process_time() - began) / CALLS


def _in_child(measure: Callable[[], float]) -> float:
    """What `measure` gives in a process of its own, for there is no way back."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, repr(measure()).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    with os.fdopen(reader) as answer:
        return float(answer.read())


if __name__ == "__main__":
    main()
