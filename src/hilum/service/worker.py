"""The worker: one analysis at a time, its modules warm in child processes."""

import logging
import os
import signal
import threading
from pathlib import Path

from hilum.config.site import Site
from hilum.engine import durable
from hilum.engine.liveness import Pulse
from hilum.errors import HilumError
from hilum.hosts.discovery import installed_modules
from hilum.hosts.place import Place
from hilum.processes.hints import HintReceiver
from hilum.records.database import Database
from hilum.records.new_writes import NewWrites
from hilum.service.beginning import also_at, begin, open_records
from hilum.service.roles import FINISH
from hilum.study.flow import Flow

TURN_SECONDS = 2.0  # hints and signals end it at once
FINISHING_SECONDS = 0.1  # between two looks whether the last run has ended

log = logging.getLogger(__name__)


def work(site: Site, address: Path | None) -> None:
    """Run what the gateway has scheduled, until SIGTERM, or after `FINISH` to the end of one run.

    `address` is where the gateway wakes us; without one, the queue is looked at all the time.
    """
    stop, finish = begin(site.data), threading.Event()
    signal.signal(FINISH, lambda *_: finish.set())
    records = open_records(site)
    pulse = Pulse(records, "worker")
    flow = Flow(site, records, installed_modules(Place.of(site)))
    start_modules(flow)
    durable.launch(durable.engine_url(site), pulse.executor)
    hints = HintReceiver(address) if address else None
    pace = durable.IDLE_SECONDS if hints else durable.POLLING_SECONDS
    poller = durable.listen(pace, NewWrites(Database(durable.engine_url(site))).are_there)
    if hints:
        for number in (signal.SIGTERM, FINISH):
            also_at(number, hints.wake)
    while not stop.is_set() and not (finish.is_set() and poller.is_done):
        pulse.beat()
        if finish.is_set():
            poller.finish()
        patience = FINISHING_SECONDS if finish.is_set() else TURN_SECONDS
        if hints is None:
            stop.wait(patience)
        elif hints.receive(patience):
            poller.wake()
    # Nothing is stopped in order: a running analysis would look failed. The kernel ends the modules
    # with us, and whoever comes next takes the unfinished work over.
    os._exit(0)


def start_modules(flow: Flow) -> None:
    """Have the modules of the rules load; a run tells of one that cannot, and the others go on."""
    for rule in flow.site.rule:
        try:
            flow.host(rule.module).start()
        except HilumError as error:
            log.error("module %s does not start: %s", rule.module, error)
