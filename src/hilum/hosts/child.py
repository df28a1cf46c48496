"""The usual host: one warm child process per module, which may crash, hang or eat all memory.

Only this side decides how long the child may take: it kills.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from hilum.control_groups import MemoryGroup
from hilum.errors import MachineError, ModuleCancelled, ModuleCrashed
from hilum.hosts import Job, Place
from hilum.hosts.channel import Ended
from hilum.hosts.child_process import ChildProcess, ModuleDied, Server, raise_for
from hilum.hosts.discovery import required_code
from hilum.hosts.planning import ChildHostSettings, plan_to_run
from hilum.hosts.scratch import keep_last_words, make_scratch, remove
from hilum.hosts.shelf import shelf_bytes
from hilum.hosts.walls import files
from hilum.module import Module
from hilum.module.protocol import starts_processes

log = logging.getLogger(__name__)


class ChildHost:
    """Runs jobs of its module in a child process, started when first needed."""

    settings = ChildHostSettings

    def __init__(
        self,
        settings: ChildHostSettings,
        place: Place,
        abi: int = files.NEWEST_ABI,
        server: Server | None = None,
    ) -> None:
        """`abi` is the newest Landlock that is used, `server` the one that the module may ask."""
        self.name = settings.module
        self._server = server
        self._place = place
        self._settings = settings
        self._abi = abi
        self._child: ChildProcess | None = None

    def start(self) -> None:
        """Start the child unless it runs. It loads the model at once, so the next job is warm."""
        if self._child is not None and self._child.is_in_order():
            return
        self.close()  # what a dead child has left
        module, origin = required_code(self.name, self._place)
        with ExitStack() as undone:  # where the module cannot be started
            scratch = make_scratch()
            undone.callback(remove, scratch)
            group = _group(module, self._place.limits.memory_mb)
            if group:
                undone.callback(group.close)
            given = (self._settings, self._place, scratch, self._abi, group)
            plan = plan_to_run(module, origin, *given)
            plan = replace(plan, terms=self._server.terms() if self._server else None)
            self._child = ChildProcess(plan, self._place, self._server)
            undone.pop_all()

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run `job`; as soon as it is not wanted any more, the child is killed.

        Where the child died, or ran out of memory or the like, the run is repeated once in a fresh
        one: what earlier runs left behind must not cost a good study its result.

        Raises
        ------
        ModuleError
            The module raised; `ModuleCrashed` if it died or had no memory, `ModuleCancelled` if it
            was not wanted.
        """
        try:
            self._attempt(job, is_wanted)
        except (MachineError, ModuleDied) as first:
            log.warning("module %s: %s; once more in a fresh process", self.name, first)
            try:
                self._attempt(job, is_wanted)
            except (MachineError, ModuleDied) as error:
                raise ModuleCrashed(f"{error}; a fresh process failed, too") from error
        finally:
            if self._settings.fresh:
                self.close()
                self.start()  # it loads until the next study comes

    def _attempt(self, job: Job, is_wanted: Callable[[], bool]) -> None:
        self.start()
        assert self._child is not None
        try:
            answer = self._child.run(job, self._place.limits.timeout_seconds, is_wanted)
            self._child.keep(answer, job, self._place.limits.memory_mb << 20)
            self._child.tidy()
        except ModuleCancelled:
            self.close()
            self.start()  # warm for the next one
            raise
        except ModuleCrashed:
            keep_last_words(self._child.last_words(), job.out)
            self.close()
            raise
        except BaseException:
            self.close()  # what it says next might be taken for an answer to the next run
            raise
        if answer.ended in (Ended.EXHAUSTED, Ended.NO_ROOM):
            self.close()
        raise_for(answer)

    def close(self) -> None:
        """Kill the child."""
        if self._child is not None:
            self._child.close()
            self._child = None


def _group(module: type[Module], memory_mb: int) -> MemoryGroup | None:
    """What limits the memory of all that `module` starts; None without need, or by the system.

    The limit of one process counts no shared memory, so the shelf is on top of it here.
    """
    if not starts_processes(module):
        return None
    return MemoryGroup.make((memory_mb << 20) + shelf_bytes(memory_mb))
