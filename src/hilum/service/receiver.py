"""The receiver: a DICOM listener within a memory limit, as a process of its own."""

import logging
import os
import resource
import signal
import threading
import time
from pathlib import Path

from hilum.config.receiver import Receiver
from hilum.hints import HintSender
from hilum.inbox.room import MEBIBYTE
from hilum.inbox.starts import Starts
from hilum.logs import configure_logging
from hilum.process import data_bytes, die_with_parent
from hilum.sources.dimse import StorageServer
from hilum.transport.dimse import quieten_libraries

THREAD_STACK = MEBIBYTE  # the default of 8 MiB per thread would eat the memory limit

logger = logging.getLogger(__name__)


def receive(settings: Receiver, data: Path, hints: Path) -> None:
    """Receive into the inbox below `data` until SIGTERM; `hints` is the socket of the gateway."""
    die_with_parent()
    configure_logging(data)
    quieten_libraries()
    threading.excepthook = _log_without_values
    threading.stack_size(THREAD_STACK)
    limit = data_bytes() + settings.memory_mb * MEBIBYTE  # what is loaded now is not counted
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    stop, stopped = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stopped, b"."))

    Starts(data).note(time.time())
    server = StorageServer(settings, data, HintSender(hints))
    tidying = threading.Thread(target=server.tidy, name="tidying")
    tidying.start()
    logger.info("listening as %s on %s:%d", settings.ae_title, settings.host, settings.port)
    server.accept_until(stop)
    server.stop()
    tidying.join()


def _log_without_values(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "?"
    logger.error("thread %s ended by %s", name, arguments.exc_type.__name__)
