"""The processes of `hilum serve`: a small parent that keeps all the others alive.

The parent does nothing else, so that nothing else can kill it: a receiver goes on accepting while
the gateway restarts, a worker's death harms only the step it was in.
"""

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Collection
from contextlib import closing
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from hilum.config import site_in
from hilum.config.file import SettingsFile, SettingsText
from hilum.config.site import Site
from hilum.errors import RECOVER, RecordsUnusable
from hilum.logs import also_logging
from hilum.processes.deaths import Death, note_death
from hilum.processes.hints import Died, HintSender, gateway_address
from hilum.processes.process import (
    children_deaf_to_ctrl_c,
    fork_server,
    renew_fork_server,
    wake_fork_server,
)
from hilum.service.database_files import DatabaseFiles
from hilum.service.following import Follower
from hilum.service.preflight import alone_in, require_free_ports
from hilum.service.preparing import prepare
from hilum.service.roles import FINISH, PROCESSES, UNUSABLE, Role
from hilum.service.tasks import Task, tasks

RESTART_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)  # after quick deaths in a row
STOP_SECONDS = 8.0
RENEWED_SECONDS = 2.0  # between two looks whether there is a fork server again
LOOK_SECONDS = 0.25  # at processes that are dead and wait for their pause to end
IDLE_SECONDS = 0.5
EVERY_ROLE = tuple(Role)

log = logging.getLogger(__name__)


class Supervisor:
    """Starts the processes of one site, restarts those that die, stops them all.

    Where it is known what its file `said`, what changes there is followed.
    """

    def __init__(
        self,
        site: Site,
        roles: Collection[Role] = EVERY_ROLE,
        said: SettingsText | None = None,
    ) -> None:
        self._context = fork_server(preload=PROCESSES)  # before a check has one begun for modules
        prepare(self._context, site, roles)
        self.site = site
        self.roles = roles
        self._file = said.file if said else None
        self._files = DatabaseFiles(site)
        self._tasks = self._tasks_for(site)
        self._follower = Follower(self._context, said, site, roles) if said else None
        self._leaving: dict[str, float] = {}  # until when each may take to end in order
        self.processes: dict[str, BaseProcess] = {}
        self._deaths: dict[str, list[float]] = {name: [] for name in self._tasks}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start every process; they get ready side by side."""
        threading.Thread(target=self._keep_awake, name="fork server", daemon=True).start()
        if self._follower:
            self._follower.begin()
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
        if self._follower and (site := self._follower.turn()):
            self.follow(site)
        for name, process in list(self.processes.items()):
            if process.is_alive():
                if time.monotonic() > self._leaving.get(name, math.inf):
                    process.kill()
            elif self._leaving.pop(name, None) is None:
                self._replace_dead(name, process)
            elif name in self._tasks:
                self._start_again(name)
            else:
                del self.processes[name]

    def follow(self, site: Site) -> None:
        """Have the processes work by other settings.

        Those whose own have changed end in order and begin anew, side by side; the others notice
        nothing. A worker ends after the analysis that it is at.
        """
        before, self._tasks = self._tasks, self._tasks_for(site)
        self.site = site
        for name, process in self.processes.items():
            task = self._tasks.get(name)
            if task is None or task.settings != before[name].settings:
                self._dismiss(name, process, before[name].role)
        for name in self._tasks.keys() - self.processes.keys():
            self._deaths[name] = []
            self._start_again(name)

    def _tasks_for(self, site: Site) -> dict[str, Task]:
        return {
            name: task
            for role in self.roles
            for name, task in tasks(site, role, self.roles, self._file).items()
        }

    def _dismiss(self, name: str, process: BaseProcess, role: Role) -> None:
        """Have a process end in order."""
        seconds = STOP_SECONDS
        if role is Role.WORKER and process.pid:
            os.kill(process.pid, FINISH)
            seconds += self.site.worker.timeout_seconds
        else:
            process.terminate()
        self._leaving[name] = time.monotonic() + seconds

    def _replace_dead(self, name: str, process: BaseProcess) -> None:
        """Start what has died, after a pause where it dies again and again."""
        if process.exitcode == UNUSABLE:
            from hilum.records.soundness import require_whole  # not as long as all is well

            require_whole(self.site)
            raise RecordsUnusable(f"{name} found the database damaged: {RECOVER}")
        now = time.monotonic()
        deaths = self._deaths[name] = [t for t in self._deaths[name] if now - t < 60]
        pause = RESTART_PAUSES[min(len(deaths), len(RESTART_PAUSES) - 1)]
        if deaths and now - deaths[-1] < pause:
            return
        log.error("%s died with exit code %s, starting it again", name, process.exitcode)
        deaths.append(now)
        note_death(self.site.data, Death(name, time.time(), process.exitcode))
        if self._start_again(name):
            with closing(HintSender(gateway_address(self.site.data))) as hints:
                hints.send(Died())

    def _start_again(self, name: str) -> bool:
        try:
            self._start(name)
        except FileNotFoundError:
            log.error("the fork server's socket was removed: all processes begin anew")
            renew_fork_server()
        except OSError as error:  # no memory or files just now: the others must go on
            log.error("%s cannot be started now: %s", name, error)
        else:
            return True
        return False

    def stop(self) -> None:
        """Stop every process: by SIGTERM first, then by SIGKILL."""
        if self._follower:
            self._follower.stop()
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
        while not self._stopped.is_set():
            if wake_fork_server():
                log.warning("somebody has stopped the fork server; it goes on")
            else:
                self._stopped.wait(RENEWED_SECONDS)

    def _start(self, name: str) -> None:
        task = self._tasks[name]
        process = self._context.Process(target=task.perform, name=f"hilum {name}")
        with children_deaf_to_ctrl_c():
            try:
                process.start()
            except EOFError as error:
                raise OSError("the fork server died meanwhile") from error
            self.processes[name] = process  # or nobody would stop it


def serve_until_stopped(file: SettingsFile, roles: Collection[Role] = EVERY_ROLE) -> None:
    """Run the processes of `roles` until SIGTERM or Ctrl-C, by the settings in `file`."""
    said = file.read()
    site = site_in(said.text)
    require_free_ports(site, roles)
    with alone_in(site.data, roles), also_logging(site.data):
        # It may wait for a database: a signal ends it as usual.
        supervisor = Supervisor(site, roles, said)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stop.set())
        _supervise(supervisor, stop)


def _supervise(supervisor: Supervisor, stop: threading.Event) -> None:
    supervisor.start()
    site = supervisor.site
    if Role.RECEIVER in supervisor.roles:
        receiver = site.receiver
        log.info("listening as %s on %s:%d", receiver.ae_title, receiver.host, receiver.port)
    if Role.CONSOLE in supervisor.roles:
        how = "; `hilum console` prints a link that opens it" if site.console.is_local else ""
        log.info("console on %s%s", site.console.address, how)
    try:
        while not stop.is_set():
            supervisor.wait()
            if not stop.is_set():  # else what has ended was told to, as we were
                supervisor.check()
    except RecordsUnusable as error:
        log.critical("%s", error)
        raise
    finally:
        supervisor.stop()
