"""A module that names what another one has found as one of its inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter


@dataclass(frozen=True)
class FindingsOf:
    """What the module called `module` has found on the very same images, for `run` as `Findings`.

    They are the same if what that module has read for one of its inputs is what this one reads for
    its input called `on`, by default its first. The other module is never delayed by it. This one
    waits until the other has its result. An input that is `optional` is None where there is no
    result, or a refusal; without it the module is not run then.
    """

    module: str
    on: str = ""
    optional: bool = False


Named = Mapping[str, Iterable[FindingsOf]]  # by a module: whose findings it names


def in_order(named: Named) -> list[str]:
    """The modules, each after those that it names; `CycleError` where some wait for each other."""
    graph = {name: {one.module for one in of} for name, of in named.items()}
    return list(TopologicalSorter(graph).static_order())


def circle(named: Named) -> list[str]:
    """Modules that wait for each other, each for the one before it; [] if none do."""
    try:
        in_order(named)
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []
