"""Which executors live, and whose unfinished work must be taken over."""

import os
import socket
import time
import uuid
from typing import Any

from hilum.engine import durable
from hilum.process import is_alive, own_start_time
from hilum.records import Records, tables

BEAT_SECONDS = 10.0
DEAD_SECONDS = 30.0  # for executors on other hosts; on ours the kernel is asked


class Pulse:
    """This process as an executor of the engine: `beat` regularly, `reap` in the gateway."""

    def __init__(self, records: Records, role: str) -> None:
        self.executor = f"{role}-{uuid.uuid4().hex[:12]}"
        self._records = records
        self._host = socket.gethostname()
        self._steady_since = time.monotonic()
        self._last_beat = 0.0
        self._row: dict[str, Any] = {"id": self.executor, "role": role, "host": self._host}
        self._row |= {"pid": os.getpid(), "started": own_start_time()}
        records.put(tables.executor, **self._row, beat_at=time.time())

    def beat(self) -> bool:
        """Show that this process lives, if it is time to; cheap in every turn of a loop."""
        now = time.monotonic()
        if now - self._last_beat < BEAT_SECONDS:
            return False
        if self._last_beat and now - self._last_beat > 2 * BEAT_SECONDS:
            self._steady_since = now  # we were stalled, perhaps with the database; so were others
        beat_at = time.time()
        if not self._records.change(tables.executor, {"id": self.executor}, beat_at=beat_at):
            # we were stalled for so long that another took us for dead
            self._records.put(tables.executor, **self._row, beat_at=beat_at)
        self._last_beat = time.monotonic()
        return True

    def reap(self) -> list[str]:
        """Take over the work of every dead executor; return their ids."""
        steady = time.monotonic() - self._steady_since > DEAD_SECONDS + BEAT_SECONDS
        dead = []
        for row in self._records.find(tables.executor):
            if row["host"] == self._host:
                gone = not is_alive(row["pid"], row["started"])
            else:
                gone = steady and time.time() - row["beat_at"] > DEAD_SECONDS
            if gone:
                durable.take_over(row["id"])
                self._records.remove(tables.executor, id=row["id"])
                dead.append(row["id"])
        return dead
