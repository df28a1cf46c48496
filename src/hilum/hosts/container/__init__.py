"""The host "container": a module in a container of podman or docker, one container for each run.

It has no network, no capabilities, an image that it cannot change, and a copy of the images. What
it leaves is judged here before any of it is kept. The program of the site does it all; Hilum
neither is nor needs a daemon.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.engine import exchange
from hilum.errors import MissingPartError, ModuleCancelled, ModuleCrashed, ModuleError
from hilum.findings import Findings
from hilum.hosts import Job, Place
from hilum.hosts.child import LOOK_SECONDS, keep_last_words
from hilum.hosts.container.card import ContainerModule
from hilum.hosts.container.folders import RunFolders, hand_in, is_within, taken, too_much
from hilum.hosts.container.program import ContainerBounds, Containers, Running
from hilum.hosts.inside import EXCHANGED
from hilum.hosts.scratch import make_scratch, printed, tail
from hilum.module import facts_of, installed_module

MOST_PRINTED = 64 << 20  # bytes
KILLED, NOT_STARTED = 137, (125, 126, 127)  # exit statuses of podman and docker


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
        if self._containers is None:
            try:
                self._containers = Containers(self._settings.program)
            except MissingPartError:
                return
            self._containers.sweep()

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run `job` in a container; it is ended as soon as the job is not wanted any more.

        Raises
        ------
        ModuleError
            The container failed, or left what is no result; `ModuleCrashed` if it was killed,
            `ModuleCancelled` if it was not wanted.
        """
        self.start()
        containers = self._containers or _missing(self._settings.program)
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

    @property
    def _most_bytes(self) -> int:
        return self._settings.output_mb << 20

    def _module(self, job: Job) -> ContainerModule:
        try:
            found: type[Any] = installed_module(self.name, self._place.models)
        except KeyError as error:
            raise ModuleError(f"there is no module {self.name!r} any more") from error
        if not issubclass(found, ContainerModule):
            raise ModuleError(f"{self.name} is no module in a container: take its [[host]] out")
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
        order = module.order(containers, case)
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
            with _closing(containers.start(order, bounds, shown)) as running:
                try:
                    self._watch(running, case, output.fileno(), is_wanted)
                except ModuleCrashed:
                    keep_last_words(tail(output), job.out)
                    raise

    def _watch(
        self, running: Running, case: RunFolders, output: int, is_wanted: Callable[[], bool]
    ) -> None:
        """Wait until it has ended well; raise as soon as it will not."""
        seconds = self._place.limits.timeout_seconds
        deadline = time.monotonic() + seconds
        most = self._most_bytes
        given = sum(image.length for image in case.images.values())
        while (status := running.ended(LOOK_SECONDS)) is None:
            if time.monotonic() >= deadline:
                raise ModuleCrashed(f"the module ran for more than {seconds:.0f} s; killed")
            if not is_wanted():
                raise ModuleCancelled("killed, its result is no longer wanted")
            if not is_within(case.left, most) or not is_within(case.given, most + 2 * given):
                raise ModuleCrashed(f"{too_much(most)}; killed")
            if _length(output) > MOST_PRINTED:
                raise ModuleCrashed("the container printed too much; killed")
        if status:
            raise ModuleCrashed(_why(status, self._place.limits.memory_mb))


@contextmanager
def _closing(running: Running) -> Iterator[Running]:
    try:
        yield running
    finally:
        running.close()


def _length(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _why(status: int, memory_mb: int) -> str:
    if status == KILLED:
        return f"the container was killed, as if it needed more than {memory_mb} MiB of memory"
    if status in NOT_STARTED:
        return f"the container did not start (exit status {status})"
    return f"the container failed (exit status {status})"


def _missing(program: str) -> Containers:
    """Raise what says that there is neither podman nor docker."""
    try:
        return Containers(program)
    except MissingPartError as error:
        raise ModuleError(str(error)) from error
