"""The usual host: one warm child process per module, which may crash, hang or eat all memory.

The child has what `hosts.inside` does. What it says is judged here before any of it is kept, and
only this side writes to the disk. Only this side decides how long it may take: it kills.
"""

import logging
import multiprocessing
import os
import resource
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.engine import exchange
from hilum.errors import MachineError, ModuleCancelled, ModuleCrashed, ModuleError
from hilum.hosts import Job, Place
from hilum.hosts.channel import Ended, ModuleAnswer, Order, give, hand_over, heard, pair, send
from hilum.hosts.inside import serve
from hilum.hosts.shelf import Shelf, shelf_bytes
from hilum.inbox import write_durably
from hilum.inbox.room import no_room
from hilum.module import Module, installed_module
from hilum.process import children_deaf_to_ctrl_c, die_with_parent

START_SECONDS = 120
GIVE_SECONDS = 60.0  # in which the files of a study are to be taken
LOOK_SECONDS = 0.25  # how often a running module is asked for whether it is still wanted
TRACEBACK = "traceback.txt"

log = logging.getLogger(__name__)


class ChildHostSettings(HostSettings):
    """A child process of the worker, within the limits of [worker]."""

    kind: Literal["child"] = Field("child", description="A warm child process of the worker.")


class ChildHost:
    """Runs jobs of its module in a child process, started when first needed."""

    settings = ChildHostSettings

    def __init__(self, settings: ChildHostSettings, place: Place) -> None:
        self.name = settings.module
        self._place = place
        self._child: _Child | None = None

    def start(self) -> None:
        """Start the child unless it runs. It loads the model at once, so the next job is warm."""
        if self._child is not None and self._child.is_in_order():
            return
        self.close()  # what a dead child has left
        self._child = _Child(self.name, self._place)

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
        except (MachineError, _ModuleDied) as first:
            log.warning("module %s: %s; once more in a fresh process", self.name, first)
            try:
                self._attempt(job, is_wanted)
            except (MachineError, _ModuleDied) as error:
                raise ModuleCrashed(f"{error}; a fresh process failed, too") from error

    def _attempt(self, job: Job, is_wanted: Callable[[], bool]) -> None:
        self.start()
        assert self._child is not None
        try:
            answer = self._child.run(job, self._place.limits.timeout_seconds, is_wanted)
            self._child.keep(answer, job, self._place.limits.memory_mb << 20)
        except ModuleCancelled:
            self.close()
            self.start()  # warm for the next one
            raise
        except BaseException:
            self.close()  # what it says next might be taken for an answer to the next run
            raise
        if answer.ended is Ended.EXHAUSTED:
            self.close()
        _raise(answer)

    def close(self) -> None:
        """Kill the child."""
        if self._child is not None:
            self._child.close()
            self._child = None


class _ModuleDied(ModuleCrashed):
    """The child died by itself, or says what makes no sense: an earlier run may be to blame."""


def _order(number: int, job: Job) -> Order:
    return Order(number=number, weights_sha256=job.weights_sha256, parameters=job.parameters)


def _raise(answer: ModuleAnswer) -> None:
    """Raise what the child says that has gone wrong."""
    if answer.ended is Ended.NO_ROOM:
        raise no_room()
    if answer.ended is Ended.EXHAUSTED:
        raise MachineError(answer.text)
    if answer.ended is Ended.FAILED:
        raise ModuleError(answer.text)


class _Child:
    """One process, from its start to its end."""

    def __init__(self, name: str, place: Place) -> None:
        self._runs = 0
        self._is_loaded = False
        self._shelf = Shelf(shelf_bytes(place.limits.memory_mb))
        self._pipe, theirs = pair()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=_begin, args=(name, place, theirs), name=f"module {name}"
        )
        with theirs, children_deaf_to_ctrl_c():
            self._process.start()
        hand_over(self._pipe, self._shelf.descriptor)

    def is_in_order(self) -> bool:
        """Whether it lives, and has said nothing that it was not asked for."""
        spoke = self._is_loaded and _has_said_something(self._pipe, 0)
        return self._process.is_alive() and not spoke

    def run(self, job: Job, seconds: float, is_wanted: Callable[[], bool]) -> ModuleAnswer:
        """Its answer to `job`; raises as soon as there will be none."""
        if not self._is_loaded:
            _raise(self._answer(START_SECONDS, "did not load", is_wanted))
            self._is_loaded = True
        self._runs += 1
        self._pipe.settimeout(min(seconds, GIVE_SECONDS))
        try:
            give(self._pipe, job.inputs)
            send(self._pipe, _order(self._runs, job))
        except OSError as error:
            raise _ModuleDied("the module's process died before the run") from error
        return self._answer(seconds, "ran", is_wanted)

    def _answer(self, seconds: float, doing: str, is_wanted: Callable[[], bool]) -> ModuleAnswer:
        deadline = time.monotonic() + seconds
        while not _has_said_something(self._pipe, min(LOOK_SECONDS, seconds)):
            if time.monotonic() >= deadline:
                raise ModuleCrashed(f"the module {doing} for more than {seconds:.0f} s; killed")
            if not is_wanted():
                raise ModuleCancelled("killed, its result is no longer wanted")
        try:
            answer = heard(self._pipe)
        except EOFError:
            self._process.join(5)
            code = self._process.exitcode
            raise _ModuleDied(f"the module's process died (exit code {code})") from None
        except ModuleError as error:
            raise _ModuleDied(str(error)) from error
        if answer.number != self._runs:
            raise _ModuleDied("the module's process gave an answer to another run")
        return answer

    def keep(self, answer: ModuleAnswer, job: Job, most_bytes: int) -> None:
        """Write what the child left to the folder of `job`, once it was judged."""
        if not answer.length:
            if answer.ended is Ended.WELL:
                raise _ModuleDied("the module's process left no findings")
            return
        try:
            self._keep(answer, job, most_bytes)
        except ModuleError as error:
            raise _ModuleDied(str(error)) from error

    def _keep(self, answer: ModuleAnswer, job: Job, most_bytes: int) -> None:
        letter = self._shelf.take(answer.length)
        self._shelf.clear()
        job.out.mkdir(parents=True, exist_ok=True)
        exchange.save_pictures(exchange.judged_pictures(letter.pictures), job.out)
        if letter.traceback:
            write_durably(job.out / TRACEBACK, letter.traceback.encode(errors="replace"))
        if answer.ended is Ended.WELL:
            found = exchange.judged(letter.items, letter.arrays, most_bytes)
            exchange.save(found, job.out)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()
        self._shelf.close()


def _has_said_something(pipe: socket.socket, seconds: float) -> bool:
    """Whether there is a message, or the end of all messages, within `seconds`."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _begin(name: str, place: Place, pipe: socket.socket) -> None:
    """Begin as the child."""
    die_with_parent()
    limit = place.limits.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.environ["OMP_NUM_THREADS"] = str(place.limits.threads)
    serve(partial(_loaded, name, place), pipe)


def _loaded(name: str, place: Place) -> Module:
    return installed_module(name, place.models)()
