"""The sample exams of the laboratory, made once for all processes of a run of the tests."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder called `name` that `make` fills; whoever comes later waits and finds it.

    It belongs to the run, so it is never stale. Nobody may change what lies in it.
    """
    base = factory.getbasetemp()
    together = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = together / f"sample-{name}"
    with (together / f"sample-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = together / f"sample-{name}.part"
            make(unfinished)
            unfinished.rename(folder)
    return folder
