"""What was put back because the server that computes its module is away: when it is tried again."""

from collections.abc import Callable

from hilum.records.models.workitems import Workitem
from hilum.records.states import WorkitemState

FIRST_SECONDS, LONGEST_SECONDS = 60.0, 1800.0  # between two tries of one workitem


class Away:
    """Known to the process that hands workitems over; after its restart the pauses begin anew."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[str, tuple[int, float]] = {}  # launch, and when it is over; by workitem

    def holds(self, item: Workitem) -> bool:
        """Whether `item` is to wait a while longer; each time twice as long, up to half an hour."""
        if item.state is not WorkitemState.SCHEDULED or item.failure is None:
            self._due.pop(item.id, None)
            return False
        launch, due = self._due.get(item.id, (-1, 0.0))
        if launch != item.launch:
            pause = min(FIRST_SECONDS * 2 ** min(item.launch, 5), LONGEST_SECONDS)
            due = self._clock() + pause
            self._due[item.id] = (item.launch, due)
        return 0 < due - self._clock() <= LONGEST_SECONDS  # more if the clock was set back
