"""The usual host: one warm child process per module, which may crash, hang or eat all memory.

The child reads the DICOM files itself, so that hostile pixel data harms nobody else, and leaves its
findings and the pictures of films on disk. Only the parent decides how long it may take: it kills.
"""

import contextlib
import logging
import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.dicom.film import Film
from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.engine.checking import checked
from hilum.errors import (
    ConfigurationError,
    DicomError,
    MachineError,
    ModuleCancelled,
    ModuleCrashed,
    ModuleError,
    is_of_the_machine,
    where,
)
from hilum.findings import Findings, Note, Refusal
from hilum.hosts import Job, Place
from hilum.inbox import write_durably
from hilum.inbox.room import is_full, no_room
from hilum.module import Module, facts_of, inputs_of, installed_module, package_of
from hilum.process import children_deaf_to_ctrl_c, die_with_parent

START_SECONDS = 120
LOOK_SECONDS = 0.25  # how often a running module is asked for whether it is still wanted
TRACEBACK = "traceback.txt"
EXCHANGED = "its files were replaced while Hilum ran: restart Hilum, then `hilum retry WORKITEM`"

log = logging.getLogger(__name__)


class Ended(Enum):
    """How a request to the child has ended."""

    WELL = "well"
    FAILED = "the module or its input is to blame"
    EXHAUSTED = "memory, open files or the like ran out"
    NO_ROOM = "the disk is full"


class ChildAnswer(NamedTuple):
    """What the child says; `text` is the problem in one line, if there is one."""

    ended: Ended
    text: str = ""


class ChildHostSettings(HostSettings):
    """A child process of the worker, within the limits of [worker]."""

    kind: Literal["child"] = Field("child", description="A warm child process of the worker.")


class ChildHost:
    """Runs jobs of its module in a child process, started when first needed."""

    settings = ChildHostSettings

    def __init__(self, settings: ChildHostSettings, place: Place) -> None:
        self.name = settings.module
        self._place = place
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the child unless it runs. It loads the model at once, so the next job is warm."""
        if self._process is not None and self._process.is_alive():
            return
        self.close()  # what a dead child has left
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(self.name, self._place, theirs),
            name=f"module {self.name}",
        )
        with children_deaf_to_ctrl_c():
            self._process.start()
        theirs.close()

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
        assert self._pipe is not None
        self._answer(START_SECONDS, "did not load", is_wanted)
        try:
            self._pipe.send(job)
        except OSError as error:
            self.close()
            raise _ModuleDied("the module's process died before the run") from error
        self._answer(self._place.limits.timeout_seconds, "ran", is_wanted)

    def close(self) -> None:
        """Kill the child."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _answer(self, seconds: float, doing: str, is_wanted: Callable[[], bool]) -> None:
        assert self._pipe is not None
        assert self._process is not None
        deadline = time.monotonic() + seconds
        try:
            while not self._pipe.poll(min(LOOK_SECONDS, seconds)):
                if time.monotonic() >= deadline:
                    self.close()
                    raise ModuleCrashed(f"the module {doing} for more than {seconds:.0f} s; killed")
                if not is_wanted():
                    self.close()
                    self.start()  # warm for the next one
                    raise ModuleCancelled("killed, its result is no longer wanted")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(5)
            code = self._process.exitcode
            self.close()
            raise _ModuleDied(f"the module's process died (exit code {code})") from error
        except ModuleError:
            raise
        except BaseException:
            self.close()  # otherwise its answer would be taken for that of the next run
            raise
        if answer.ended is Ended.NO_ROOM:
            raise no_room()
        if answer.ended is Ended.EXHAUSTED:
            self.close()
            raise MachineError(answer.text)
        if answer.ended is Ended.FAILED:
            raise ModuleError(answer.text)


class _ModuleDied(ModuleCrashed):
    """Whether the child died by itself, and was not killed by us."""


def run_here(module: Module, job: Job) -> Findings:
    """Run `job` in this process: read the images, call the module, keep the findings on disk.

    The pictures of the films are kept beside them even if the module raises. Input that cannot be
    read as the module needs it gives a `Refusal`, not an error; what the machine lacks raises
    `MachineError`, because no image is to blame.
    """
    inputs: dict[str, Series | tuple[Film, ...]] = {}
    findings = Findings()
    try:
        inputs = {name: need.read(job.inputs[name]) for name, need in inputs_of(module).items()}
        by_name = isinstance(module.needs, Mapping)
        run = partial(module.run, **inputs) if by_name else partial(module.run, *inputs.values())
        findings = checked(run, tuple(inputs.values()), package_of(module))
        findings = Findings((*findings.items, *_cautions(inputs.values())))
    except DicomError as error:
        findings = Findings((Refusal("unreadable-input", f"The images cannot be used: {error}."),))
    finally:
        exchange.save_pictures(_pictures(inputs.values(), findings), job.out)
    exchange.save(findings, job.out)
    return findings


def _cautions(inputs: Iterable[Series | tuple[Film, ...]]) -> Iterator[Note]:
    """What a reader must know of the analysed series that the module does not say."""
    for given in inputs:
        if isinstance(given, Series):
            yield from (Note(text, caution=True) for text in given.cautions)


def _pictures(
    inputs: Iterable[Series | tuple[Film, ...]], findings: Findings
) -> dict[str, np.ndarray]:
    """Pictures by SOP Instance UID: of every film, and of each image that a finding is about."""
    films: list[Film] = []
    for given in inputs:
        if isinstance(given, Series):
            named = [i for i in given.instances if i.sop_instance_uid in findings.images]
            films += map(Film, named)
        else:
            films += given
    return {film.uid: film.picture for film in films if film.picture is not None}


def _serve(name: str, place: Place, pipe: Connection) -> None:
    """Run as the child: load, say so, then do one job after the other until the parent ends."""
    die_with_parent()
    limit = place.limits.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.environ["OMP_NUM_THREADS"] = str(place.limits.threads)
    try:
        module = installed_module(name, place.models)()
        weights = facts_of(module).weights_sha256
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything while it loads
        # no patient's data are here yet, and a hospital's own network needs the whole reason
        reason = str(error) if isinstance(error, ConfigurationError) else where(error)
        pipe.send(ChildAnswer(Ended.FAILED, f"the module does not load: {reason}"))
        return
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent is gone; so are we
        while True:
            pipe.send(ChildAnswer(Ended.WELL))  # ready
            job = pipe.recv()
            # A result must name the network that made it: one that was exchanged meanwhile is not.
            same = job.weights_sha256 == weights
            pipe.send(_run(module, job) if same else ChildAnswer(Ended.FAILED, EXCHANGED))


def _run(module: Module, job: Job) -> ChildAnswer:
    """Run `job`; only this workitem ends, whatever is raised."""
    try:
        try:
            run_here(module, job)
        except Exception as error:  # around one workitem: a module may raise anything
            if is_full(error):
                raise
            _keep_traceback(error, job.out)
            said = isinstance(error, MachineError)
            text = str(error) if said else f"the module raised {where(error, package_of(module))}"
            machine = said or is_of_the_machine(error)
            return ChildAnswer(Ended.EXHAUSTED if machine else Ended.FAILED, text)
    except OSError as error:
        if is_full(error):
            return ChildAnswer(Ended.NO_ROOM)
        raise
    return ChildAnswer(Ended.WELL)


def _keep_traceback(error: BaseException, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = "".join(traceback.format_exception(error))
    write_durably(out / TRACEBACK, text.encode())
