"""How long tests wait for other processes. Every limit of time in the tests comes from here."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds. What is waited for comes within one or two on a quiet machine. A limit is only reached
# when something is broken, so it may be far away: a busy machine must not fail a test.
PATIENCE = 120.0
# Seconds. The limit of what a test has hang: were it waited for, the test itself would be ended.
NEVER = 3600.0


def until(condition: Callable[[], T], what: object, pause: float = 0.02) -> T:
    """The first true value of `condition`, asked every `pause` seconds.

    After `PATIENCE` the test fails and names `what` it waited for; a function is called for that.
    """
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"waited {PATIENCE:.0f} s for {said}")
        time.sleep(pause)
    return value
