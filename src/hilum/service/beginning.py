"""What a process of the service does first."""

import signal
import threading
from pathlib import Path
from types import FrameType

from hilum.logs import configure_logging
from hilum.process import die_with_parent


def begin(data: Path) -> threading.Event:
    """End with the parent, and log below `data`. SIGTERM sets the event that is returned."""
    die_with_parent()
    configure_logging(data)
    stop = threading.Event()

    def asked_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, asked_to_stop)
    return stop
