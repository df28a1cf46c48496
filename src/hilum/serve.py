"""The processes of `hilum serve`: a small parent that keeps all the others alive.

The parent does nothing else, so that nothing else can kill it: a receiver goes on accepting while
the gateway restarts, a worker's death harms only the step it was in.
"""

import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, assert_never

from hilum import watching
from hilum.comparison.norms import Norms
from hilum.config import suggestion
from hilum.config.site import Site
from hilum.console import start_console
from hilum.engine import durable
from hilum.engine.liveness import Pulse
from hilum.errors import ConfigurationError
from hilum.flow import Flow
from hilum.hints import (
    Aborted,
    Asked,
    Counted,
    Died,
    Duplicate,
    Hint,
    HintReceiver,
    HintSender,
    Quarantined,
    Refused,
    Released,
    Started,
    Stored,
    Written,
    gateway_address,
)
from hilum.inbox import OTHER_CONTENT
from hilum.inbox.privacy import make_private
from hilum.logs import configure_logging, going_on
from hilum.module import discover, facts_of, installed_modules
from hilum.process import (
    children_deaf_to_ctrl_c,
    die_with_parent,
    fork_server,
    renew_fork_server,
    wake_fork_server,
)
from hilum.records import Records
from hilum.records.alarms import Alarms
from hilum.records.refusals import note_refusals
from hilum.requests import obey
from hilum.retention import Retention
from hilum.sources import dimse

SWEEP_SECONDS = 60.0
RESTART_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)  # after quick deaths in a row
STOP_SECONDS = 8.0
WAKE_SECONDS = 0.5

log = logging.getLogger("hilum.serve")


def records_url(site: Site) -> str:
    """SQLAlchemy URL of our records."""
    return site.database or f"sqlite:///{site.data}/hilum.db"


def engine_url(site: Site) -> str:
    """SQLAlchemy URL of the engine's tables."""
    return site.database or f"sqlite:///{site.data}/engine.db"


class Supervisor:
    """Starts the processes of one site, restarts those that die, stops them all."""

    def __init__(self, site: Site) -> None:
        check_rules(site)
        check_norms(site)
        self.site = site
        make_private(site.data)
        self._context = fork_server(preload=__name__)
        hints = gateway_address(site.data)
        Records(records_url(site)).close()  # makes the tables before several processes want them
        self._roles: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
            "receiver": (dimse.serve, (site.receiver, site.data, hints)),
            "gateway": (gateway, (site,)),
            **{
                f"source-{source.name}": (watching.serve, (site, source, records_url(site), hints))
                for source in site.source
            },
            **{f"worker-{n}": (worker, (site,)) for n in range(site.worker.count)},
        }
        self.processes: dict[str, multiprocessing.process.BaseProcess] = {}
        self._deaths: dict[str, list[float]] = {name: [] for name in self._roles}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start every process; they get ready side by side."""
        threading.Thread(target=self._keep_awake, name="fork server", daemon=True).start()
        for name in self._roles:
            self._start(name)

    def check(self) -> None:
        """Restart whatever has died; call this a few times a second from the main thread."""
        for name, process in self.processes.items():
            if process.is_alive():
                continue
            now = time.monotonic()
            deaths = self._deaths[name] = [t for t in self._deaths[name] if now - t < 60]
            pause = RESTART_PAUSES[min(len(deaths), len(RESTART_PAUSES) - 1)]
            if deaths and now - deaths[-1] < pause:
                continue
            log.error("%s died with exit code %s, starting it again", name, process.exitcode)
            deaths.append(now)
            try:
                self._start(name)
                with closing(HintSender(gateway_address(self.site.data))) as hints:
                    hints.send(Died())
            except FileNotFoundError:
                log.error("the fork server's socket was removed: all processes begin anew")
                renew_fork_server()
            except OSError as error:  # no memory or files just now: the others must go on
                log.error("%s cannot be started now: %s", name, error)

    def stop(self) -> None:
        """Stop every process: politely first, then for certain."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self.processes.clear()
        self._stopped.set()

    def _keep_awake(self) -> None:
        """A fork server that was stopped would let us wait for every answer: have it go on."""
        while not self._stopped.wait(WAKE_SECONDS):
            if wake_fork_server():
                log.warning("somebody has stopped the fork server; it goes on")

    def _start(self, name: str) -> None:
        target, arguments = self._roles[name]
        process = self._context.Process(target=target, args=arguments, name=f"hilum {name}")
        with children_deaf_to_ctrl_c():
            try:
                process.start()
            except EOFError as error:
                raise OSError("the fork server died meanwhile") from error
            self.processes[name] = process  # or nobody would stop it


def serve_until_stopped(site: Site) -> None:
    """Run all processes until SIGTERM or Ctrl-C."""
    require_free_ports(site)
    with alone_in(site.data):
        supervisor = Supervisor(site)  # may wait for a database: a signal ends it as usual
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stop.set())
        _supervise(supervisor, stop)


def _supervise(supervisor: Supervisor, stop: threading.Event) -> None:
    site = supervisor.site
    supervisor.start()
    log.info(
        "listening as %s on %s:%d, console on http://%s:%d",
        site.receiver.ae_title,
        site.receiver.host,
        site.receiver.port,
        site.console.host,
        site.console.port,
    )
    while not stop.wait(0.25):
        supervisor.check()
    supervisor.stop()


@contextmanager
def alone_in(data: Path) -> Iterator[None]:
    """Keep the data folder to ourselves; `ConfigurationError` if it is in use, or no folder."""
    try:
        make_private(data)
        lock = (data / "serve.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"data: {data}: {error.strerror}") from error
    with lock:  # the kernel releases it with the process, however that ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"data: another `hilum serve` works in {data}") from error
        except OSError as error:
            text = f"data: {data} cannot be locked: {error.strerror}"
            raise ConfigurationError(text) from error
        yield


def require_free_ports(site: Site) -> None:
    """Raise `ConfigurationError` if somebody else listens where we are to listen."""
    for name, host, port in (
        ("receiver", site.receiver.host, site.receiver.port),
        ("console", site.console.host, site.console.port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(f"{name}.port {port}: {error.strerror}") from error


def check_rules(site: Site) -> None:
    """Raise `ConfigurationError` for a rule or route whose module is not there or fails to load."""
    modules, problems = discover(site.networks)
    wanted = [("rule", rule.module) for rule in site.rule]
    wanted += [("route", name) for route in site.route for name in route.modules]
    for place, name in wanted:
        if name not in modules:
            why = problems.get(name) or f"not installed; known: {', '.join(sorted(modules))}"
            raise ConfigurationError(f"{place}: module {name!r}: {why}")


def check_norms(site: Site) -> None:
    """Raise `ConfigurationError` for norms that cannot be read; warn of those for other weights."""
    norms = Norms(site.norms)
    installed = installed_modules(site.networks) if norms.tables else {}
    for name in dict.fromkeys(table.settings.module for table in norms.tables):
        if name not in installed:
            text = f"norms: module {name!r} is not installed{suggestion(name, installed)}"
            raise ConfigurationError(text)
        for sentence in norms.remarks(facts_of(installed[name])):
            log.warning(sentence)


def gateway(site: Site) -> None:
    """The gateway process: assembly, routing, delivery, console."""
    stop = _begin(site)
    records = Records(records_url(site))
    hints = HintReceiver(gateway_address(site.data))
    pulse = Pulse(records, "gateway")
    flow = Flow(site, records, installed_modules(site.networks))
    durable.launch(engine_url(site), pulse.executor, [])
    start_console(site, records, flow.facts.values())
    flow.outbox.start()
    retention = Retention(site, records, flow.inbox, flow.arrivals, flow.workitems, flow.own)
    alarms = Alarms(site, records)
    next_sweep = 0.0
    while not stop.is_set():
        news = hints.receive(timeout=0.05)
        for hint in news:
            with going_on(f"hint {type(hint).__name__}", log):
                _follow(hint, flow)
            if isinstance(hint, Started):
                next_sweep = 0.0  # its predecessor may have died before it told of everything
        note_refusals(records, [hint.refusal for hint in news if isinstance(hint, Refused)])
        if time.monotonic() >= next_sweep:
            with going_on("sweep", log):
                flow.sweep()
            obey(flow)
            retention.sweep()
            next_sweep = time.monotonic() + SWEEP_SECONDS
        with going_on("corrections", log):
            if flow.corrections.turn():
                obey(flow)
        flow.review()
        retention.turn()
        died = any(isinstance(hint, Died) for hint in news)
        if pulse.beat() or died:
            alarms.check()
            for executor in pulse.reap():
                log.warning("took over the work of %s, which died", executor)
    flow.outbox.stop()
    durable.shut_down()


def _follow(hint: Hint, flow: Flow) -> None:
    match hint:
        case Asked():
            obey(flow)
        case Written():
            flow.outbox.wake()
        case Started() | Died() | Refused():
            pass  # for the loop itself
        case Quarantined(reason=reason) if reason == OTHER_CONTENT:
            flow.corrections.add(hint)
        case Stored() | Duplicate() | Quarantined() | Released() | Aborted() | Counted():
            flow.arrivals.take(hint)
        case _:
            assert_never(hint)


def worker(site: Site) -> None:
    """A worker process: one analysis at a time, its modules warm in child processes."""
    stop = _begin(site)
    records = Records(records_url(site))
    pulse = Pulse(records, "worker")
    flow = Flow(site, records, installed_modules(site.networks))
    for rule in site.rule:
        flow.host(rule.module).start()
    durable.launch(engine_url(site), pulse.executor, [durable.ANALYSE])
    while not stop.wait(0.5):
        pulse.beat()
    # Nothing is stopped in order: a running analysis would look failed. The kernel ends the modules
    # with us, and whoever comes next takes the unfinished work over.
    os._exit(0)


def _begin(site: Site) -> threading.Event:
    """What every process does first; the event is set when it is asked to stop."""
    die_with_parent()
    configure_logging(site.data)
    stop = threading.Event()

    def asked_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, asked_to_stop)
    return stop
