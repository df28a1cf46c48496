"""Which executors live, and whose unfinished work must be taken over."""

import os
import socket
import time
import uuid
from dataclasses import replace

from hilum.engine import durable
from hilum.process import is_alive, own_start_time
from hilum.records import Records
from hilum.records.executors import DEAD_SECONDS
from hilum.records.models.standings import Executor

BEAT_SECONDS = 10.0


class Pulse:
    """This process as an executor of the engine: `beat` regularly, `reap` in the gateway."""

    def __init__(self, records: Records, role: str) -> None:
        self.executor = f"{role}-{uuid.uuid4().hex[:12]}"
        self._records = records
        self._host = socket.gethostname()
        self._steady_since = time.monotonic()
        self._last_beat = 0.0
        self._living = Executor(
            self.executor, role, self._host, os.getpid(), own_start_time(), time.time()
        )
        records.executors.beat(self._living)

    def beat(self) -> bool:
        """Show that this process lives, if it is time to; cheap in every turn of a loop."""
        now = time.monotonic()
        if now - self._last_beat < BEAT_SECONDS:
            return False
        if self._last_beat and now - self._last_beat > 2 * BEAT_SECONDS:
            self._steady_since = now  # we were stalled, perhaps with the database; so were others
        self._living = replace(self._living, beat_at=time.time())
        self._records.executors.beat(self._living)  # if we were stalled, we may count as dead
        self._last_beat = time.monotonic()
        return True

    def reap(self) -> list[str]:
        """Take over the work of every dead executor; return their ids."""
        steady = time.monotonic() - self._steady_since > DEAD_SECONDS + BEAT_SECONDS
        dead = []
        for executor in self._records.executors.all():
            if executor.host == self._host:
                gone = not is_alive(executor.pid, executor.started)
            else:
                gone = steady and time.time() - executor.beat_at > DEAD_SECONDS
            if gone:
                durable.take_over(executor.id)
                self._records.executors.remove(executor.id)
                dead.append(executor.id)
        return dead
