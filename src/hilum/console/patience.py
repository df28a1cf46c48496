"""Questions to the records that nobody waits for without end, as a person would at a page."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread

PATIENCE_SECONDS = 5.0  # with records that do not answer
MOST_AT_ONCE = 2  # threads that wait for them

Returned = TypeVar("Returned")


class Patience:
    """Waits for the records, but not for long, and in few threads."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(MOST_AT_ONCE)

    async def answer_of(self, work: Callable[[], Returned]) -> Returned:
        """What `work` returns, done in a thread; `TimeoutError` when that takes too long."""
        with fail_after(PATIENCE_SECONDS):
            return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
