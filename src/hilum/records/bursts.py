"""One event that counts many images of a study which come at about the same time."""

import time
from collections.abc import Callable

from hilum.records import Records
from hilum.records.states import EventKind

BURST_SECONDS = 60.0  # without an image, before the next one begins an event of its own

Key = tuple[str, EventKind, str]


class Bursts:
    """The events that still count. The number stands in the trace from the first image on.

    `clock` gives seconds.
    """

    def __init__(self, records: Records, clock: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._clock = clock
        self._open: dict[Key, tuple[int, int, float]] = {}  # event, images, when the last one came

    def note(self, study_uid: str, kind: EventKind, one: str, many: str) -> bool:
        """Count an image in an event of `kind`; True if it is the first one of a burst.

        `one` is what is said of one image, `many` what follows the number of several.
        """
        now, key = self._clock(), (study_uid, kind, many)
        self._open = {k: v for k, v in self._open.items() if now - v[2] <= BURST_SECONDS}
        if key not in self._open:
            self._open[key] = (self._records.events.add(study_uid, kind, one), 1, now)
            return True
        event, images, _ = self._open[key]
        self._open[key] = (event, images + 1, now)
        self._records.events.restate(event, f"{images + 1} {many}")
        return False
