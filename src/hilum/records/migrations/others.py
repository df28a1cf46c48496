"""Whether a process of an older Hilum still works on the records: it would not know the new tables.

A lock file in the data folder does not tell: releases lock other files, and on PostgreSQL other
machines work on the same records.
"""

import socket
import time

import sqlalchemy as sa

from hilum.process import is_alive
from hilum.records.schema import Transact

STILL_THERE = (
    "an older Hilum still works on these records ({role} on {host}): stop it on every machine, "
    "then start this one"
)

executor = sa.table(  # as in every version so far
    "executor", *map(sa.column, ("id", "role", "host", "pid", "started", "beat_at"))
)


def still_there(transact: Transact, dead_seconds: float) -> str:
    """What a person must do if a process that has worked on the records still does, else "".

    On this machine the kernel is asked. One on another machine has stopped if it gives no sign of
    life for `dead_seconds`: so long this waits if the last sign is younger.
    """
    query = sa.select(executor)
    rows = transact(lambda connection: connection.execute(query).all())
    host = socket.gethostname()
    elsewhere = {row.id: row.beat_at for row in rows if row.host != host}
    for row in rows:
        if row.host == host and is_alive(row.pid, row.started):
            return STILL_THERE.format(role=row.role, host=host)
    youngest = max(elsewhere.values(), default=0.0)
    time.sleep(min(max(youngest + dead_seconds - time.time(), 0.0), dead_seconds))
    for row in transact(lambda connection: connection.execute(query).all()):
        if row.beat_at > elsewhere.get(row.id, row.beat_at):
            return STILL_THERE.format(role=row.role, host=row.host)
    return ""
