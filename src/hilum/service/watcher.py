"""The watcher: one archive that is watched, as a process of its own."""

import os
import signal
from pathlib import Path

from hilum.config.kinds import SourceSettings
from hilum.config.site import Site
from hilum.logs import configure_logging
from hilum.processes.hints import HintReceiver, HintSender, wake_address
from hilum.processes.process import die_with_parent
from hilum.service.beginning import open_records
from hilum.watching import Watch


def watch(site: Site, source: SourceSettings, hints: Path) -> None:
    """Watch `source` until the process ends; `hints` is the socket of the gateway.

    It may be killed at any time: what is not written down is done again.
    """
    die_with_parent()
    configure_logging(site.data)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    turns = Watch(site, source, open_records(site), HintSender(hints))
    wake = HintReceiver(wake_address(site.data, source.name))
    while True:
        wake.receive(timeout=turns.turn())
