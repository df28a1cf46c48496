"""The usual host: one warm child process per module, which may crash, hang or eat all memory.

The child has what `hosts.inside` does. What it says is judged here before any of it is kept, and
only this side writes to the disk. Only this side decides how long it may take: it kills.
"""

import logging
import os
import select
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.engine import exchange
from hilum.environments import InEnvironment
from hilum.errors import HilumError, MachineError, ModuleCancelled, ModuleCrashed, ModuleError
from hilum.hosts import Job, Place
from hilum.hosts.asking import request_in
from hilum.hosts.beginning import ChildPlan, begin
from hilum.hosts.channel import (
    Ended,
    ModuleAnswer,
    Order,
    ServerAnswered,
    give,
    hand_over,
    heard,
    pair,
    send,
    tell,
)
from hilum.hosts.elsewhere import interpreter_of
from hilum.hosts.reaching import files_of, is_ours
from hilum.hosts.scratch import (
    TRACEBACK,
    empty,
    keep_last_words,
    make_scratch,
    printed,
    remove,
    tail,
)
from hilum.hosts.shelf import Shelf, shelf_bytes
from hilum.hosts.waiting import Deadline
from hilum.hosts.walls import Reach, files
from hilum.inbox import write_durably
from hilum.inbox.room import free_mib, no_room
from hilum.module import Module
from hilum.process import children_deaf_to_ctrl_c, fork_server
from hilum.servers import ServerReply, ServerRequest, Terms

START_SECONDS = 120
GIVE_SECONDS = 60.0  # in which the files of a study are to be taken
FULL_MIB = 256  # a disk with less room may well have been full for a module

log = logging.getLogger(__name__)


class ChildHostSettings(HostSettings):
    """A child process of the worker, within the limits of [worker] and walled in."""

    kind: Literal["child"] = Field("child", description="A warm child process of the worker.")
    walls: Literal["required", "best-effort"] = Field(
        "required",
        description="What happens where this machine lacks a wall: a module that does not come "
        "with Hilum does not start (required), or runs without that wall (best-effort).",
    )
    network: bool = Field(False, description="Whether the module may open network connections.")
    folders: tuple[Path, ...] = Field(
        (), description="Folders beside its own files that the module may read and write."
    )
    gpu: bool = Field(False, description="Whether the module may use the graphics processors.")
    fresh: bool = Field(
        False,
        description="Whether each study gets a fresh process, which knows nothing of the others.",
    )


class Server(Protocol):
    """What computes a module elsewhere, and is asked by the worker alone."""

    def terms(self) -> Terms:
        """What the site lets it have; `ConfigurationError` if that cannot be found out."""

    def answer(self, request: ServerRequest, deadline: Deadline) -> ServerReply:
        """What it answers; `ModuleError` where it does not, and as `Deadline.require`."""


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
        self._child: _Child | None = None

    def start(self) -> None:
        """Start the child unless it runs. It loads the model at once, so the next job is warm."""
        if self._child is not None and self._child.is_in_order():
            return
        self.close()  # what a dead child has left
        module = self._place.module(self.name)
        self._child = _Child(module, self._settings, self._place, self._abi, self._server)

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
    if answer.ended is Ended.NO_ROOM and free_mib(Path(tempfile.gettempdir())) < FULL_MIB:
        raise no_room()
    if answer.ended is Ended.NO_ROOM:  # or it could have us wait for ever
        raise MachineError("the module says that the disk is full, and it is not")
    if answer.ended is Ended.EXHAUSTED:
        raise MachineError(answer.text)
    if answer.ended is Ended.FAILED:
        raise ModuleError(answer.text)


class _Child:
    """One process, from its start to its end."""

    def __init__(
        self,
        module: type[Module],
        settings: ChildHostSettings,
        place: Place,
        abi: int,
        server: Server | None,
    ) -> None:
        self._runs = 0
        self._server = server
        self._is_loaded = False
        self._scratch = make_scratch()
        try:
            plan = _plan(module, settings, place, self._scratch, abi)
            plan = replace(plan, terms=server.terms() if server else None)
        except HilumError:
            remove(self._scratch)
            raise
        self._shelf = Shelf(shelf_bytes(place.limits.memory_mb))
        self._output = None if place.shows_output else printed()
        self._has_processes = plan.reach.processes or plan.interpreter is not None
        self._name = settings.module
        self._pipe, theirs = pair()
        self._process = fork_server(begin.__module__, shared=True).Process(
            target=begin, args=(plan, theirs), name=f"module {settings.module}"
        )
        with theirs, children_deaf_to_ctrl_c():
            self._process.start()
        tie, self._tie = os.pipe()  # it ends with us, and the child with it
        output = [] if self._output is None else [self._output.fileno()]
        hand_over(self._pipe, [self._shelf.descriptor, tie, *output])
        os.close(tie)

    def is_in_order(self) -> bool:
        """Whether it lives, has its folder, and has said nothing that it was not asked for.

        Systems remove temporary files that are old, and a child waits for days; its walls let it
        into no other folder.
        """
        spoke = self._is_loaded and _has_said_something(self._pipe, 0)
        return self._process.is_alive() and self._scratch.is_dir() and not spoke

    def run(self, job: Job, seconds: float, is_wanted: Callable[[], bool]) -> ModuleAnswer:
        """Its answer to `job`; raises as soon as there will be none."""
        if not self._is_loaded:
            ready = self._answer(Deadline(START_SECONDS, is_wanted, "did not load"))
            _raise(ready)
            if ready.text:
                log.warning("module %s runs without a wall: %s", self._name, ready.text)
            self._is_loaded = True
        self._runs += 1
        self._pipe.settimeout(min(seconds, GIVE_SECONDS))
        try:
            give(self._pipe, job.inputs)
            send(self._pipe, _order(self._runs, job))
        except OSError as error:
            raise _ModuleDied("the module's process died before the run") from error
        deadline = Deadline(seconds, is_wanted, "ran")
        while (answer := self._answer(deadline)).ended is Ended.ASKS:
            self._ask_server(answer, deadline)
        return answer

    def _ask_server(self, asked: ModuleAnswer, deadline: Deadline) -> None:
        """Have the server answer what the module asks, and tell it."""
        if self._server is None:
            raise _ModuleDied("the module's process asks for a server, and has none")
        request = request_in(self._shelf.take(asked.length))
        self._shelf.clear()
        reply = self._server.answer(request, deadline)
        try:
            tell(self._pipe, ServerAnswered.of(reply), reply.content)
        except OSError as error:
            raise _ModuleDied("the module's process died while a server was asked") from error

    def _answer(self, deadline: Deadline) -> ModuleAnswer:
        while not _has_said_something(self._pipe, deadline.look_seconds):
            deadline.require()
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

    def last_words(self) -> str:
        """The end of what it has printed."""
        return "" if self._output is None else tail(self._output)

    def tidy(self) -> None:
        """Leave nothing of a run for the next one."""
        empty(self._scratch)
        if self._output is not None:
            self._output.truncate(0)

    def close(self) -> None:
        if self._has_processes and self._process.pid:
            with suppress(ProcessLookupError):  # there is no such group yet, or any more
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()
        os.close(self._tie)
        self._shelf.close()
        if self._output is not None:
            self._output.close()
        remove(self._scratch)


def _has_said_something(pipe: socket.socket, seconds: float) -> bool:
    """Whether there is a message, or the end of all messages, within `seconds`."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _plan(
    module: type[Module], settings: ChildHostSettings, place: Place, scratch: Path, abi: int
) -> ChildPlan:
    """What the child is to be."""
    own = tuple(files_of(module, place.models, place.data))
    folders = tuple(folder.resolve() for folder in settings.folders)
    memory = place.limits.memory_mb
    needs = settings.walls == "required" and not is_ours(module)
    processes = bool(getattr(module, "processes", False))
    given = (folders, settings.network, processes, settings.gpu, memory)
    interpreter = None
    reach = Reach(scratch, own, *given)
    if issubclass(module, InEnvironment):
        interpreter = interpreter_of(module, reach, needs)
        reach = Reach(scratch, own, memory_mb=memory)  # what the site gives is for the module
    threads = place.limits.threads
    models = place.models and place.models.resolve()  # the child goes to another folder
    return ChildPlan(settings.module, models, threads, reach, needs, abi, interpreter)
