"""What a process of the service does first."""

import logging
import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from hilum.config.site import Site
from hilum.errors import RecordsUnusable
from hilum.logs import configure_logging
from hilum.processes.process import die_with_parent
from hilum.records import Records, records_url
from hilum.service.roles import UNUSABLE

log = logging.getLogger(__name__)


def open_records(site: Site, patience: float = math.inf) -> Records:
    """Our records; the process ends when they prove damaged, and the supervisor stops the rest.

    `patience` is how long in s is waited for them later. Here they are waited for until they are
    there: whoever is told of a death would look for it in vain.
    """
    records = Records(records_url(site), on_damage=_end)
    if patience == math.inf:
        return records
    records.close()
    return Records(records_url(site), patience, on_damage=_end)


def _end(error: RecordsUnusable) -> NoReturn:
    log.critical("%s", error)
    os._exit(UNUSABLE)


def also_at(number: signal.Signals, call: Callable[[], None]) -> None:
    """Have the signal `number` `call`, too, after what it does already."""
    before = signal.getsignal(number)

    def both(received: int, frame: FrameType | None) -> None:
        if callable(before):
            before(received, frame)
        call()

    signal.signal(number, both)


def begin(data: Path) -> threading.Event:
    """End with the parent, and log below `data`. SIGTERM sets the event that is returned."""
    die_with_parent()
    configure_logging(data)
    stop = threading.Event()

    def asked_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, asked_to_stop)
    return stop
