"""Questions to the records that nobody waits for without end, as a person would at a page."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread

PATIENCE_SECONDS = 5.0  # with records that do not answer
MOST_AT_ONCE = 2  # threads that wait for them

Returned = TypeVar("Returned")


def in_time(work: Callable[[], Returned]) -> Callable[[], Awaitable[Returned]]:
    """A function that does `work` in a thread; `TimeoutError` when that takes too long."""
    limiter = CapacityLimiter(MOST_AT_ONCE)

    async def done() -> Returned:
        with fail_after(PATIENCE_SECONDS):
            return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)

    return done
