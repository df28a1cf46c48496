"""The gateway: assembly, routing, delivery. One place decides."""

import logging
import signal
import threading
import time
from collections.abc import Iterable
from typing import assert_never

from hilum.acts.fetching import Fetches
from hilum.acts.requests import obey
from hilum.alarms.telling import AlarmWatch
from hilum.assessments.received_assessments import read_assessments
from hilum.config.site import Site
from hilum.engine import durable
from hilum.engine.liveness import Pulse
from hilum.hosts.discovery import discover
from hilum.hosts.place import Place
from hilum.housekeeping.retention import Retention
from hilum.inbox import OTHER_CONTENT
from hilum.logs import going_on
from hilum.patients.older_runs import remember_all
from hilum.patients.patient_updates import PatientUpdatesTaken
from hilum.performing.keeping import start_performers
from hilum.processes.hints import (
    Aborted,
    Asked,
    Assessed,
    Committed,
    Counted,
    Died,
    Duplicate,
    Hint,
    HintReceiver,
    Quarantined,
    Ready,
    Rejected,
    Released,
    Resumed,
    Started,
    Stored,
    Updated,
    Written,
    gateway_address,
    wake_workers,
)
from hilum.records import Records
from hilum.records.copies import Keeper
from hilum.records.new_writes import NewWrites
from hilum.service.beginning import also_at, begin, open_records
from hilum.study.flow import Flow
from hilum.study.identifying import note_older

SWEEP_SECONDS = 60.0
TURN_SECONDS = 0.05  # while files are compared or removed
SHORTEST_SECONDS = 0.01  # before an open study is looked at once more
IDLE_SECONDS = 2.0  # hints and signals end it at once
COPY_SECONDS = 1.0  # between two looks whether anything was written to the records
MORE_SECONDS = 0.05  # while there is much to copy, as after an update

log = logging.getLogger(__name__)


def run_gateway(site: Site) -> None:
    """Decide on what arrives, and deliver what was made of it, until SIGTERM."""
    stop = begin(site.data)
    records = open_records(site)
    gateway = Gateway(site, records)
    also_at(signal.SIGTERM, gateway.wake)
    while not stop.is_set():
        gateway.turn(gateway.rest_seconds)
    gateway.stop()


class Gateway:
    """The gateway of `site`. Call `turn` again and again, from one thread."""

    def __init__(self, site: Site, records: Records) -> None:
        self._records = records
        self._data = site.data
        self._hints = HintReceiver(gateway_address(site.data))
        self._pulse = Pulse(records, "gateway")
        modules, problems = discover(Place.of(site))
        for name, problem in problems.items():
            log.error("module %s cannot be used: %s", name, problem)
        self._flow = flow = Flow(site, records, modules, problems=problems)
        durable.launch(durable.engine_url(site), self._pulse.executor)
        flow.outbox.start()
        older = (records, flow.workitems)
        threading.Thread(target=remember_all, args=older, name="older runs", daemon=True).start()
        threading.Thread(
            target=note_older,
            args=(records, flow.inbox, flow.own),
            name="older studies",
            daemon=True,
        ).start()
        self._retention = Retention(
            site, records, flow.inbox, flow.arrivals, flow.workitems, flow.own
        )
        AlarmWatch(site, records).start()
        self._fetches = Fetches(site, records, flow.inbox)
        self._fetches.start()
        start_performers(site, records)
        self._updates = PatientUpdatesTaken(flow, on_news=self.wake)
        self._updates.start()
        self._changes = NewWrites(records.database)
        self._keeper = Keeper(records.database.transact, site.data)
        threading.Thread(target=self._keep_copies, name="copies", daemon=True).start()
        self._next_sweep = 0.0

    @property
    def rest_seconds(self) -> float:
        """How long there is nothing to do without a hint, in s."""
        if self._flow.corrections.is_busy or self._retention.is_busy:
            return TURN_SECONDS
        due = self._flow.arrivals.next_due - self._flow.clock()
        return min(max(due, SHORTEST_SECONDS), IDLE_SECONDS)

    def wake(self) -> None:
        """Have the turn under way wait no longer."""
        self._hints.wake()

    def turn(self, patience: float) -> None:
        """Wait up to `patience` seconds for hints, follow them, do what is due."""
        news = self._hints.receive(timeout=patience)
        self._follow(news)
        if time.monotonic() >= self._next_sweep:
            self._sweep()
        with going_on("corrections", log):
            if self._flow.corrections.turn():
                obey(self._flow)
        self._flow.review()
        self._retention.turn()
        died = any(isinstance(hint, Died) for hint in news)
        if self._pulse.beat() or died:
            self._look_after()

    def _follow(self, news: Iterable[Hint]) -> None:
        for hint in news:
            with going_on(f"hint {type(hint).__name__}", log):
                follow(hint, self._flow)
            # what a watcher that died had not told of yet; what waited for a module
            if isinstance(hint, Started | Resumed):
                self._next_sweep = 0.0
            if isinstance(hint, Asked):
                self._fetches.wake()
            if isinstance(hint, Updated):
                self._updates.wake()
        rejected = [hint.rejection for hint in news if isinstance(hint, Rejected)]
        self._records.rejections.note(rejected)  # at once, as there may be thousands

    def stop(self) -> None:
        """Begin nothing more."""
        self._flow.outbox.stop()
        durable.shut_down()

    def _keep_copies(self) -> None:
        """Copy what changes in the records beside the images, so that lost ones can be made again.

        It has a thread of its own: each copy is fsynced, and no decision waits for that.
        """
        is_due = False
        while True:
            more = False
            if self._changes.are_there():
                is_due = True
                if self._flow.site.database:  # perhaps by a worker elsewhere, who cannot wake it
                    self._flow.outbox.wake()
            if is_due:
                with going_on("copies of the records", log):
                    more = is_due = self._keeper.follow()
            time.sleep(MORE_SECONDS if more else COPY_SECONDS)

    def _sweep(self) -> None:
        with going_on("sweep", log):
            self._flow.sweep()
        read_assessments(self._flow)
        obey(self._flow)
        self._retention.sweep()
        self._next_sweep = time.monotonic() + SWEEP_SECONDS

    def _look_after(self) -> None:
        """Take over what dead executors have left."""
        for executor in self._pulse.reap():
            log.info("took over the work of %s, which has ended", executor)
            wake_workers(self._data)


def follow(hint: Hint, flow: Flow) -> None:
    """Do at once what a hint asks for."""
    match hint:
        case Asked():
            obey(flow)
        case Assessed():
            read_assessments(flow)
        case Written() | Resumed():
            flow.outbox.wake()
        case Ready(workitem=workitem):
            flow.launch(flow.records.workitems.one(workitem))
        case Committed():
            flow.outbox.hear_commitments()
        case Started() | Died() | Rejected() | Updated():
            pass  # for the turn itself
        case Quarantined(reason=reason) if reason == OTHER_CONTENT:
            flow.corrections.add(hint)
        case Stored() | Duplicate() | Quarantined() | Released() | Aborted() | Counted():
            flow.arrivals.take(hint)
        case _:
            assert_never(hint)
