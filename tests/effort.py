"""How much work something is: counted, not timed, so that a busy machine changes nothing."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hilum.processes.process import data_bytes


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of Python this thread runs while `call` does its work."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@contextmanager
def little_memory() -> Iterator[None]:
    """Inside, this process may have at most 32 MiB more than now."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + (32 << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
