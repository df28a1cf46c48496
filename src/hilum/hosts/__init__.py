"""Where a module runs. A host keeps one module ready, gives it one job at a time, and ends it.

Each kind is one file beside this one, or in another package: its settings and its class, found by
an entry point of the group `hilum.hosts` (see `hilum.kinds`). Modules that no `[[host]]` of
hilum.toml names run in a child process of the worker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from hilum.config.fields import JSONValues
from hilum.config.kinds import HostSettings
from hilum.config.site import Site
from hilum.dicom.parts import Part
from hilum.errors import ConfigurationError
from hilum.hosts.discovery import installed_module
from hilum.hosts.place import CHILD, Place
from hilum.kinds import HOSTS
from hilum.module import Module

__all__ = [
    "CHILD",
    "Host",
    "Job",
    "Place",
    "by_itself",
    "host_of",
    "in_child",
    "kind_of",
    "open_host",
    "usual",
]


@dataclass(frozen=True)
class Job:
    """One run: the frames of each input, the folder for the findings, the weights to be used.

    Of an input for earlier exams each exam is one by itself: "NAME/0" is the latest, "NAME/1" the
    one before. `parameters` are those that the rule sets. The study and its patient are named for
    the audit trail; no module is told of them.
    """

    inputs: Mapping[str, Sequence[Part]]
    out: Path
    weights_sha256: str
    parameters: JSONValues = field(default_factory=dict)
    study_uid: str = ""
    patient_id: str = field(default="", repr=False)


class Host(Protocol):
    """What a kind of host does, opened with the settings of its own class `settings` and a `Place`.

    A job leaves its findings in `Job.out`, as `hilum.engine.exchange.save` writes them, and the
    pictures of films beside them.
    """

    def start(self) -> None:
        """Get ready, without waiting for it; nothing is done if it is, or gets, ready already."""

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run `job` to its end; ended at once when it is not wanted any more.

        Raises
        ------
        ModuleError
            The module failed; `ModuleCrashed` if it died, was too slow or had no memory,
            `ModuleCancelled` if its result was not wanted.
        MachineError
            The module cannot be asked what it is just now.
        """

    def close(self) -> None:
        """End the module, whatever it is doing."""


def open_host(settings: HostSettings, place: Place) -> Host:
    """The host that `settings` describe."""
    host: Host = HOSTS.load(settings.kind)(settings, place)
    return host


def host_of(site: Site, module: str) -> Host:
    """The host of `module` at this site, not started yet."""
    return open_host(
        site.host_for(module) or usual(module, Place.of(site)),
        Place.of(site),
    )


def usual(module: str, place: Place, **values: Any) -> HostSettings:
    """The settings by which `module` runs where hilum.toml gives it no host.

    It says itself where it runs by its attribute `host`; `values` are those of a child process.
    Raises `ConfigurationError` where the kind cannot do without settings, such as an address.
    """
    try:
        kind = kind_of(installed_module(module, place))
    except KeyError:
        kind = CHILD  # which says that there is none
    return in_child(module, **values) if kind == CHILD else by_itself(kind, module)


def kind_of(module: type[Module]) -> str:
    """The kind of host that a module says itself that it runs by."""
    kind: str = getattr(module, "host", CHILD)
    return kind


def by_itself(kind: str, module: str) -> HostSettings:
    """The settings of a host of a `kind` that hilum.toml says nothing of; raises as `usual`."""
    try:
        settings: HostSettings = HOSTS.load(kind).settings(module=module)
    except ValidationError as error:
        needed = " and ".join(str(problem["loc"][0]) for problem in error.errors())
        raise ConfigurationError(
            f'module {module!r} needs a [[host]] in hilum.toml with kind = "{kind}" and {needed};'
            " `hilum run` reads it with --config"
        ) from error
    return settings


def in_child(module: str, **values: Any) -> HostSettings:
    """The settings by which `module` runs in a child process; `values` are those of the kind."""
    settings: HostSettings = HOSTS.load(CHILD).settings(module=module, **values)
    return settings
