"""Whether a process still works on the records that are about to be changed below it.

A lock file in the data folder does not tell: releases lock other files, and on PostgreSQL other
machines work on the same records.
"""

import socket
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hilum.processes.process import is_alive
from hilum.records.schema import Transact

executor = sa.table(  # as in every version so far
    "executor", *map(sa.column, ("id", "role", "host", "pid", "started", "beat_at"))
)


def still_there(transact: Transact, dead_seconds: float) -> str:
    """Role and machine of a process that has worked on the records and still does, else "".

    On this machine the kernel is asked. One on another machine has stopped if it gives no sign of
    life for `dead_seconds`: so long this waits if the last sign is younger.
    """
    host = socket.gethostname()
    rows = transact(_rows)
    if here := _living_here(rows, host):
        return here
    before = {row.id: row.beat_at for row in rows if row.host != host}
    youngest = max(before.values(), default=0.0)
    time.sleep(min(max(youngest + dead_seconds - time.time(), 0.0), dead_seconds))
    rows = transact(_rows)
    for row in rows:  # one that was not there before has just begun
        if row.host != host and row.beat_at > before.get(row.id, 0.0):
            return _name(row)
    return _living_here(rows, host)


def _rows(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """All processes on record; none in a database without our tables."""
    if not sa.inspect(connection).has_table(executor.name):
        return []
    return connection.execute(sa.select(executor)).all()


def _living_here(rows: Sequence[sa.Row[Any]], host: str) -> str:
    here = (row for row in rows if row.host == host and is_alive(row.pid, row.started))
    return next((_name(row) for row in here), "")


def _name(row: sa.Row[Any]) -> str:
    return f"{row.role} on {row.host}"
