"""What the process of a module is to be, for this site: its code, its walls, and what it is given.

It is the same whether the module runs there or only says what it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.control_groups import MemoryGroup
from hilum.environments import InEnvironment
from hilum.hosts.elsewhere import Interpreter, interpreter_of
from hilum.hosts.place import Place
from hilum.hosts.reaching import files_of, is_ours
from hilum.hosts.walls import Reach, Wall, files, standing
from hilum.module import Module
from hilum.module.origin import CodeOrigin
from hilum.module.protocol import starts_processes
from hilum.servers import Terms

MOST_TO_DESCRIBE = 8192  # MiB, also where a run may take more


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


@dataclass(frozen=True)
class ChildPlan:
    """What the process of a module is to be.

    `needs_walls`: it does not start where the machine lacks a wall. `abi` is the newest Landlock
    that is used. `interpreter` is what runs a module that has an environment of its own, `terms`
    are those of a server that computes the module. `keeper`: it may start processes, which
    have to end with it; `group` limits their memory, where the system can.
    """

    module: str
    origin: CodeOrigin
    threads: int
    reach: Reach
    needs_walls: bool
    abi: int
    interpreter: Interpreter | None = None
    terms: Terms | None = None
    keeper: bool = False
    group: MemoryGroup | None = None


def plan_to_run(
    module: type[Module],
    origin: CodeOrigin,
    settings: ChildHostSettings,
    place: Place,
    scratch: Path,
    abi: int,
    group: MemoryGroup | None = None,
) -> ChildPlan:
    """What the process is to be that runs `module`."""
    weights = getattr(module, "weights", None) or ()
    own = weights if isinstance(weights, tuple) else (weights,)
    read = tuple(files_of(origin.package, own, place.models, place.data))
    needs = settings.walls == "required" and not is_ours(module)
    processes = starts_processes(module)
    reach = replace(_reach(settings, place, scratch, read, processes), group=group)
    reach, interpreter = _parted(module, reach, needs)
    return ChildPlan(
        module.name,
        _absolute(origin),
        place.limits.threads,
        reach,
        needs,
        abi,
        interpreter,
        keeper=processes or _may_start_some(),
        group=group,
    )


def plan_to_describe(origin: CodeOrigin, name: str, place: Place, scratch: Path) -> ChildPlan:
    """What the process is to be in which the module called `name` says what it is."""
    settings = settings_of(name, place)
    read = tuple(files_of(origin.package, (), place.models, place.data))
    reach = _reach(settings, place, scratch, read, processes=False)
    reach = replace(reach, memory_mb=min(reach.memory_mb, MOST_TO_DESCRIBE))
    needs = settings.walls == "required"
    interpreter = None
    if not origin.foreign:
        reach, interpreter = _parted(origin.load(), reach, needs)
        interpreter = interpreter and replace(interpreter, makes=False)
    return ChildPlan(
        name,
        _absolute(origin),
        place.limits.threads,
        reach,
        needs,
        files.NEWEST_ABI,
        interpreter,
        keeper=_may_start_some(),
    )


def _parted(
    module: type[Module], reach: Reach, needs_walls: bool
) -> tuple[Reach, Interpreter | None]:
    """What our process reaches, and what runs `module` if that has an environment of its own."""
    if not issubclass(module, InEnvironment):
        return reach, None
    # what the site gives is for the module
    ours = Reach(reach.scratch, reach.read, memory_mb=reach.memory_mb)
    return ours, interpreter_of(module, reach, needs_walls)


def settings_of(name: str, place: Place) -> ChildHostSettings:
    """What the site gives the process of the module called `name`: nothing, if it is no child."""
    found = place.host_for(name)
    return found if isinstance(found, ChildHostSettings) else ChildHostSettings(module=name)


def _reach(
    settings: ChildHostSettings,
    place: Place,
    scratch: Path,
    read: tuple[Path, ...],
    processes: bool,
) -> Reach:
    folders = tuple(folder.resolve() for folder in settings.folders)
    memory = place.limits.memory_mb
    return Reach(scratch, read, folders, settings.network, processes, settings.gpu, memory)


def _may_start_some() -> bool:
    """Whether nothing keeps a module here from starting processes."""
    return Wall.CALLS in standing()


def _absolute(origin: CodeOrigin) -> CodeOrigin:
    """The process goes to another folder before it loads anything."""
    return origin if origin.folder is None else replace(origin, folder=origin.folder.resolve())
