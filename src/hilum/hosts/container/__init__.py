"""The host "container": a module in a container of podman or docker, one container for each run.

It has no network, no capabilities, an image that it cannot change, and a copy of the images. What
it leaves is judged here before any of it is kept. The program of the site does it all; Hilum
neither is nor needs a daemon.
"""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Literal

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.engine import exchange
from hilum.errors import MissingPartError, ModuleCrashed, ModuleError
from hilum.findings import Findings
from hilum.hosts import Job, Place
from hilum.hosts.container.card import ContainerModule
from hilum.hosts.container.folders import RunFolders, hand_in, is_within, taken, too_much
from hilum.hosts.container.program import ContainerBounds, Containers, Running
from hilum.hosts.discovery import required_module
from hilum.hosts.inside import EXCHANGED
from hilum.hosts.scratch import MOST_PRINTED, keep_last_words, make_scratch, printed, tail
from hilum.hosts.waiting import LOOK_SECONDS, Deadline
from hilum.module import facts_of

KILLED, NOT_RUN, NO_COMMAND = 137, 125, (126, 127)  # exit statuses of podman and docker


class ContainerHostSettings(HostSettings):
    """A container for each run, by podman or docker, within the limits of [worker]."""

    kind: Literal["container"] = Field(
        "container", description="A container for each run, by podman or docker."
    )
    program: str = Field(
        "", description="podman or docker, or a path to one; empty means whichever is found."
    )
    output_mb: int = Field(
        1024, ge=1, description="Most MiB that a container may leave on the disk in one run."
    )
    options: tuple[str, ...] = Field(
        (),
        description="Further options of `podman run` or `docker run`, such as those that give a "
        "container a graphics processor. They can take walls down.",
    )


class ContainerHost:
    """Runs each job of its module in a container of its own."""

    settings = ContainerHostSettings

    def __init__(self, settings: ContainerHostSettings, place: Place) -> None:
        self.name = settings.module
        self._settings = settings
        self._place = place
        self._containers: Containers | None = None

    def start(self) -> None:
        """Find podman or docker, and remove what killed workers have left, once.

        Where there is none, the first run says so.
        """
        with suppress(MissingPartError):
            self._ready()

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run `job` in a container; it is ended as soon as the job is not wanted any more.

        Raises
        ------
        ModuleError
            The container failed, or left what is no result; `ModuleCrashed` if it was killed,
            `ModuleCancelled` if it was not wanted.
        """
        try:
            containers = self._ready()
        except MissingPartError as error:
            raise ModuleError(str(error)) from error
        module = self._module(job)
        containers.require(module.described.image)
        scratch = make_scratch()
        try:
            case = hand_in(scratch, [part for parts in job.inputs.values() for part in parts])
            self._run(containers, module, case, job, is_wanted)
            found = module.findings(taken(case.left, self._most_bytes), case)
            exchange.save(Findings(tuple(found)), job.out)
        finally:
            containers.give_back(scratch)

    def close(self) -> None:
        """Nothing runs between two jobs."""
        self._containers = None

    def _ready(self) -> Containers:
        """The program, once it is found; the first time, what killed workers left is removed."""
        if self._containers is None:
            self._containers = Containers(self._settings.program)
            self._containers.sweep()
        return self._containers

    @property
    def _most_bytes(self) -> int:
        return self._settings.output_mb << 20

    def _module(self, job: Job) -> ContainerModule:
        found = required_module(self.name, self._place)
        if not issubclass(found, ContainerModule):
            raise ModuleError(f"{self.name} does not run in a container: remove its [[host]]")
        if facts_of(found).weights_sha256 != job.weights_sha256:
            raise ModuleError(EXCHANGED)
        module: ContainerModule = found()
        return module

    def _run(
        self,
        containers: Containers,
        module: ContainerModule,
        case: RunFolders,
        job: Job,
        is_wanted: Callable[[], bool],
    ) -> None:
        order = module.order(containers, case, {**module.described.settings, **job.parameters})
        limits = self._place.limits
        bounds = ContainerBounds(
            limits.memory_mb,
            limits.threads,
            limits.timeout_seconds,
            self._most_bytes,
            self._settings.options,
        )
        with printed() as output:
            shown = None if self._place.shows_output else output
            with closing(containers.start(order, bounds, shown)) as running:
                try:
                    self._watch(running, case, output.fileno(), is_wanted)
                except ModuleCrashed:
                    keep_last_words(tail(output), job.out)
                    raise

    def _watch(
        self, running: Running, case: RunFolders, output: int, is_wanted: Callable[[], bool]
    ) -> None:
        """Wait until it has ended well; raise as soon as it will not."""
        deadline = Deadline(self._place.limits.timeout_seconds, is_wanted)
        most = self._most_bytes
        given = sum(image.length for image in case.images.values())
        while (status := running.ended(LOOK_SECONDS)) is None:
            deadline.require()
            if not is_within(case.left, most) or not is_within(case.given, most + 2 * given):
                raise ModuleCrashed(f"{too_much(most)}; killed")
            if _length(output) > MOST_PRINTED:
                raise ModuleCrashed("the container printed too much; killed")
        if status:
            raise ModuleCrashed(_why(status, self._place.limits.memory_mb, running.containers.name))


def _length(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _why(status: int, memory_mb: int, program: str) -> str:
    if status < 0:
        return f"the program that ran the container was killed (signal {-status})"
    if status == KILLED:
        return f"the container was killed, as if it needed more than {memory_mb} MiB of memory"
    if status == NOT_RUN:
        return (
            f"{program} did not run the container (exit status {status}): what it said stands in"
            " traceback.txt; see also the options of the [[host]]"
        )
    if status in NO_COMMAND:
        return f"the image has no command that can be run (exit status {status})"
    return f"the container failed (exit status {status})"
