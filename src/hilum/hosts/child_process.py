"""The process of a module as its worker sees it, from its start to its end.

It has what `hosts.inside` does. What it says is judged here before any of it is kept, and only this
side writes to the disk.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from hilum.engine import exchange
from hilum.errors import MachineError, ModuleCrashed, ModuleError
from hilum.hosts import Job, Place
from hilum.hosts.asking import request_in
from hilum.hosts.beginning import begin
from hilum.hosts.channel import (
    Ended,
    ModuleAnswer,
    Order,
    ServerAnswered,
    give,
    hand_over,
    has_said_something,
    heard,
    pair,
    send,
    tell,
)
from hilum.hosts.keeping import SAY_WHERE
from hilum.hosts.planning import ChildPlan
from hilum.hosts.scratch import MOST_PRINTED, TRACEBACK, empty, printed, remove, tail
from hilum.hosts.shelf import Shelf, shelf_bytes
from hilum.hosts.waiting import Deadline
from hilum.inbox import write_durably
from hilum.inbox.room import free_mib, no_room
from hilum.processes.process import (
    catches,
    children_deaf_to_ctrl_c,
    descendants,
    fork_server,
    kill_group,
    start_time,
)
from hilum.servers import ServerReply, ServerRequest, Terms

START_SECONDS = 120
KEEPER_SECONDS = 30  # in which a keeper has ended all; longer only where it was killed or stopped
SAYING_SECONDS = 0.3  # one that is killed has said where it is once it was silent for so long
MOST_LOOKS = 20  # at whether it has
GIVE_SECONDS = 60.0  # in which the files of a study are to be taken
FULL_MIB = 256  # a disk with less room may well have been full for a module

log = logging.getLogger(__name__)


class Server(Protocol):
    """What computes a module elsewhere, and is asked by the worker alone."""

    def terms(self) -> Terms:
        """What the site lets it have; `ConfigurationError` if that cannot be found out."""

    def answer(self, request: ServerRequest, deadline: Deadline) -> ServerReply:
        """What it answers; `ModuleError` where it does not, and as `Deadline.require`."""


class ModuleDied(ModuleCrashed):
    """The child died by itself, or says what makes no sense: an earlier run may be to blame."""


class ChildProcess:
    """One process, from its start to its end."""

    def __init__(self, plan: ChildPlan, place: Place, server: Server | None) -> None:
        self._runs = 0
        self._server = server
        self._is_loaded = False
        self._name = plan.module
        self._scratch = plan.reach.scratch
        self._group = plan.group
        self._memory_mb = place.limits.memory_mb
        self._shelf = Shelf(shelf_bytes(place.limits.memory_mb))
        self._output = None if place.shows_output else printed()
        self._has_keeper = plan.keeper
        self._pipe, theirs = pair()
        self._process = fork_server(begin.__module__, shared=True).Process(
            target=begin, args=(plan, theirs), name=f"module {plan.module}"
        )
        with theirs, children_deaf_to_ctrl_c():
            self._process.start()
        self._started = start_time(self._process.pid or 0)
        tie, self._tie = os.pipe()  # it ends with us, and the child with it
        output = [] if self._output is None else [self._output.fileno()]
        hand_over(self._pipe, [self._shelf.descriptor, tie, *output])
        os.close(tie)

    def is_in_order(self) -> bool:
        """Whether it lives, has its folder, and has said nothing that it was not asked for.

        Systems remove temporary files that are old, and a child waits for days; its walls let it
        into no other folder.
        """
        spoke = self._is_loaded and has_said_something(self._pipe, 0)
        return self._process.is_alive() and self._scratch.is_dir() and not spoke

    def run(self, job: Job, seconds: float, is_wanted: Callable[[], bool]) -> ModuleAnswer:
        """Its answer to `job`; raises as soon as there will be none."""
        if not self._is_loaded:
            ready = self._answer(Deadline(START_SECONDS, is_wanted, "did not load"))
            raise_for(ready)
            if ready.text:
                log.warning("module %s runs without a wall: %s", self._name, ready.text)
            self._is_loaded = True
        self._runs += 1
        self._pipe.settimeout(min(seconds, GIVE_SECONDS))
        try:
            give(self._pipe, job.inputs)
            send(self._pipe, _order(self._runs, job))
        except OSError as error:
            raise ModuleDied("the module's process died before the run") from error
        deadline = Deadline(seconds, is_wanted, "ran")
        while (answer := self._answer(deadline)).ended is Ended.ASKS:
            self._ask_server(answer, deadline)
        return answer

    def _ask_server(self, asked: ModuleAnswer, deadline: Deadline) -> None:
        """Have the server answer what the module asks, and tell it."""
        if self._server is None:
            raise ModuleDied("the module's process asks for a server, and has none")
        request = request_in(self._shelf.take(asked.length))
        self._shelf.clear()
        reply = self._server.answer(request, deadline)
        try:
            tell(self._pipe, ServerAnswered.of(reply), reply.content)
        except OSError as error:
            raise ModuleDied("the module's process died while a server was asked") from error

    def _answer(self, deadline: Deadline) -> ModuleAnswer:
        while not has_said_something(self._pipe, deadline.look_seconds):
            deadline.require()
            self._require_memory()
            self._shorten_output()
        try:
            answer = heard(self._pipe)
            self._require_memory()  # what it says then may be said of a process that was killed
        except EOFError:
            self._require_memory()
            self._process.join(5)
            code = self._process.exitcode
            raise ModuleDied(f"the module's process died (exit code {code})") from None
        except ModuleError as error:
            raise ModuleDied(str(error)) from error
        if answer.number != self._runs:
            raise ModuleDied("the module's process gave an answer to another run")
        return answer

    def _require_memory(self) -> None:
        if self._group and self._group.was_exceeded():
            raise ModuleDied(
                f"the module's processes needed more than {self._memory_mb} MiB of memory together"
            )

    def _shorten_output(self) -> None:
        """Only the end of what it prints is ever read, and it may print without an end."""
        if self._output and self._printed_bytes() > MOST_PRINTED:
            self._output.truncate(0)

    def keep(self, answer: ModuleAnswer, job: Job, most_bytes: int) -> None:
        """Write what the child left to the folder of `job`, once it was judged."""
        if not answer.length:
            if answer.ended is Ended.WELL:
                raise ModuleDied("the module's process left no findings")
            return
        try:
            self._keep(answer, job, most_bytes)
        except ModuleError as error:
            raise ModuleDied(str(error)) from error

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
        """The end of what it has printed; one that still runs prints where it is."""
        if self._process.is_alive():
            self._have_it_say_where()
        return "" if self._output is None else tail(self._output)

    def _have_it_say_where(self) -> None:
        """One of its processes after the other, so that their lines do not mix."""
        first = self._process.pid or 0
        for pid in (first, *descendants(first)):
            if catches(pid, SAY_WHERE):
                self._have_one_say_where(pid)

    def _have_one_say_where(self, pid: int) -> None:
        """Wait until it has begun to say so and is silent again, but not for long."""
        before = seen = self._printed_bytes()
        with suppress(ProcessLookupError):
            os.kill(pid, SAY_WHERE)
        for _ in range(MOST_LOOKS):
            self._process.join(SAYING_SECONDS)
            size = self._printed_bytes()
            if self._output is None or size == seen != before or not self._process.is_alive():
                return
            seen = size

    def _printed_bytes(self) -> int:
        return 0 if self._output is None else os.fstat(self._output.fileno()).st_size

    def tidy(self) -> None:
        """Leave nothing of a run for the next one."""
        empty(self._scratch)
        if self._output is not None:
            self._output.truncate(0)

    def close(self) -> None:
        os.close(self._tie)
        if self._has_keeper:  # which ends all that the module has started, and then itself
            self._process.join(KEEPER_SECONDS)
        if self._process.pid:
            kill_group(self._process.pid, self._started)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()
        self._shelf.close()
        if self._output is not None:
            self._output.close()
        remove(self._scratch)
        if self._group:
            self._group.close()


def raise_for(answer: ModuleAnswer) -> None:
    """Raise what the child says that has gone wrong."""
    if answer.ended is Ended.NO_ROOM and free_mib(Path(tempfile.gettempdir())) < FULL_MIB:
        raise no_room()
    if answer.ended is Ended.NO_ROOM:  # or it could have us wait for ever
        raise MachineError("the module says that the disk is full, and it is not")
    if answer.ended is Ended.EXHAUSTED:
        raise MachineError(answer.text)
    if answer.ended is Ended.FAILED:
        raise ModuleError(answer.text)


def _order(number: int, job: Job) -> Order:
    return Order(number=number, weights_sha256=job.weights_sha256, parameters=job.parameters)
