"""How long a host waits for its module, and why it stops."""

import time
from collections.abc import Callable

from hilum.errors import ModuleCancelled, ModuleCrashed

LOOK_SECONDS = 0.25  # how often a running module is asked for whether it is still wanted


class Deadline:
    """Of a module that may be busy for some seconds from now on, as long as it is wanted."""

    def __init__(self, seconds: float, is_wanted: Callable[[], bool], doing: str = "ran") -> None:
        """`doing` is what the module did where it took too long."""
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._is_wanted = is_wanted
        self._doing = doing

    @property
    def look_seconds(self) -> float:
        """How long to wait for something before `require` is asked again."""
        return min(LOOK_SECONDS, self._seconds)

    @property
    def seconds_left(self) -> float:
        """How long it may still be busy."""
        return max(0.0, self._deadline - time.monotonic())

    def require(self) -> None:
        """Raise `ModuleCrashed` if it takes too long, `ModuleCancelled` if it is not wanted."""
        if time.monotonic() >= self._deadline:
            raise ModuleCrashed(
                f"the module {self._doing} for more than {self._seconds:.0f} s; killed"
            )
        if not self._is_wanted():
            raise ModuleCancelled("killed, its result is no longer wanted")
