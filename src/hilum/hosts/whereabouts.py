"""Where each module runs, in words for people."""

from hilum.config.site import Site
from hilum.environments import InEnvironment
from hilum.hosts import CHILD
from hilum.hosts.container.card import ContainerModule
from hilum.module import Module

IN_CHILD = "in a process of each worker, with the packages of Hilum"


def runs_in(site: Site, module: type[Module]) -> str:
    """Where `module` runs at this site, and with what."""
    chosen = next((host for host in site.host if host.module == module.name), None)
    kind = chosen.kind if chosen else getattr(module, "host", CHILD)
    if issubclass(module, InEnvironment):
        card = module.environment
        return f"in an environment of its own: {card.package}, with {card.python}"
    if issubclass(module, ContainerModule):
        return f"in a container for each run: {module.described.image}"
    if url := getattr(chosen, "url", ""):  # of any kind that asks a server
        return f"on the server at {url}"
    return IN_CHILD if kind == CHILD else f"by a host of kind {kind}"
