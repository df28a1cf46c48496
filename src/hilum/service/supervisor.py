"""The processes of `hilum serve`: a small parent that keeps all the others alive.

The parent does nothing else, so that nothing else can kill it: a receiver goes on accepting while
the gateway restarts, a worker's death harms only the step it was in.
"""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from multiprocessing import connection
from typing import Any, assert_never

from hilum.config.site import Site
from hilum.deaths import Death, note_death
from hilum.engine.liveness import DEAD_SECONDS
from hilum.errors import RECOVER, RecordsUnusable
from hilum.hints import Died, HintSender, gateway_address, worker_address
from hilum.logs import also_logging
from hilum.people.entrance import address_of
from hilum.privacy import make_private
from hilum.process import (
    children_deaf_to_ctrl_c,
    fork_server,
    renew_fork_server,
    wake_fork_server,
)
from hilum.records import Records, records_url
from hilum.records.migrations import upgrade
from hilum.records.soundness import Files, require_as_new, require_present, require_whole
from hilum.service.beginning import UNUSABLE
from hilum.service.console import show
from hilum.service.gateway import run_gateway
from hilum.service.preflight import (
    alone_in,
    check_console,
    check_ends,
    check_norms,
    check_rules,
    check_walls,
    require_free_ports,
)
from hilum.service.receiver import receive
from hilum.service.roles import Role
from hilum.service.watcher import watch
from hilum.service.worker import work

RESTART_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)  # after quick deaths in a row
STOP_SECONDS = 8.0
WAKE_SECONDS = 2.0
LOOK_SECONDS = 0.25  # at processes that are dead and wait for their pause to end
IDLE_SECONDS = 0.5
EVERY_ROLE = tuple(Role)

log = logging.getLogger(__name__)

Task = tuple[Callable[..., None], tuple[Any, ...]]


def tasks(site: Site, role: Role, beside: Collection[Role]) -> dict[str, Task]:
    """The processes of a role by their names: what each calls, with which arguments.

    `beside` are the roles that this machine has: a gateway elsewhere cannot wake its workers.
    """
    hints = gateway_address(site.data)
    match role:
        case Role.RECEIVER:
            return {"receiver": (receive, (site.receiver, site.data, hints))}
        case Role.GATEWAY:
            return {"gateway": (run_gateway, (site,))}
        case Role.CONSOLE:
            return {"console": (show, (site,))}
        case Role.WATCHER:
            return {f"source-{s.name}": (watch, (site, s, hints)) for s in site.source}
        case Role.WORKER:
            is_woken = Role.GATEWAY in beside
            return {
                f"worker-{n}": (work, (site, worker_address(site.data, n) if is_woken else None))
                for n in range(site.worker.count)
            }
    assert_never(role)


class Supervisor:
    """Starts the processes of one site, restarts those that die, stops them all."""

    def __init__(self, site: Site, roles: Collection[Role] = EVERY_ROLE) -> None:
        check_rules(site)
        check_norms(site)
        check_walls(site)
        check_ends(site)
        if Role.CONSOLE in roles:
            check_console(site)
        self.site = site
        self.roles = roles
        make_private(site.data)
        self._context = fork_server(preload=__name__)
        require_present(site)
        require_whole(site)
        # before several processes want the tables
        prepare = partial(upgrade, dead_seconds=DEAD_SECONDS)
        with closing(Records(records_url(site), prepare=prepare)) as records:
            require_as_new(records.database.transact, site.data)
        self._files = Files(site)
        self._tasks = {
            name: task for role in roles for name, task in tasks(site, role, roles).items()
        }
        self.processes: dict[str, multiprocessing.process.BaseProcess] = {}
        self._deaths: dict[str, list[float]] = {name: [] for name in self._tasks}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start every process; they get ready side by side."""
        threading.Thread(target=self._keep_awake, name="fork server", daemon=True).start()
        for name in self._tasks:
            self._start(name)

    def wait(self) -> None:
        """Return when a process has died, or after a while."""
        alive = [process.sentinel for process in self.processes.values() if process.is_alive()]
        some_are_dead = len(alive) < len(self.processes)
        connection.wait(alive, LOOK_SECONDS if some_are_dead else IDLE_SECONDS)

    def check(self) -> None:
        """Restart whatever has died; call this a few times a second from the main thread.

        Raises `RecordsUnusable` when our database is deleted, replaced or damaged: then nothing
        that is restarted could go on.
        """
        self._files.require_same()
        for name, process in self.processes.items():
            if process.is_alive():
                continue
            if process.exitcode == UNUSABLE:
                require_whole(self.site)
                raise RecordsUnusable(f"{name} found the database damaged: {RECOVER}")
            now = time.monotonic()
            deaths = self._deaths[name] = [t for t in self._deaths[name] if now - t < 60]
            pause = RESTART_PAUSES[min(len(deaths), len(RESTART_PAUSES) - 1)]
            if deaths and now - deaths[-1] < pause:
                continue
            log.error("%s died with exit code %s, starting it again", name, process.exitcode)
            deaths.append(now)
            note_death(self.site.data, Death(name, time.time(), process.exitcode))
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
        """Stop every process: by SIGTERM first, then by SIGKILL."""
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
        """Continue a stopped fork server, which would let us wait for every answer."""
        while not self._stopped.wait(WAKE_SECONDS):
            if wake_fork_server():
                log.warning("somebody has stopped the fork server; it goes on")

    def _start(self, name: str) -> None:
        target, arguments = self._tasks[name]
        process = self._context.Process(target=target, args=arguments, name=f"hilum {name}")
        with children_deaf_to_ctrl_c():
            try:
                process.start()
            except EOFError as error:
                raise OSError("the fork server died meanwhile") from error
            self.processes[name] = process  # or nobody would stop it


def serve_until_stopped(site: Site, roles: Collection[Role] = EVERY_ROLE) -> None:
    """Run the processes of `roles` until SIGTERM or Ctrl-C."""
    require_free_ports(site, roles)
    with alone_in(site.data, roles), also_logging(site.data):
        supervisor = Supervisor(site, roles)  # may wait for a database: a signal ends it as usual
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stop.set())
        _supervise(supervisor, stop)


def _supervise(supervisor: Supervisor, stop: threading.Event) -> None:
    site = supervisor.site
    supervisor.start()
    if Role.RECEIVER in supervisor.roles:
        receiver = site.receiver
        log.info("listening as %s on %s:%d", receiver.ae_title, receiver.host, receiver.port)
    if Role.CONSOLE in supervisor.roles:
        how = "; `hilum console` prints a link that opens it" if site.console.is_local else ""
        log.info("console on %s%s", address_of(site), how)
    try:
        while not stop.is_set():
            supervisor.wait()
            supervisor.check()
    except RecordsUnusable as error:
        log.critical("%s", error)
        raise
    finally:
        supervisor.stop()
