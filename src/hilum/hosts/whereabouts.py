"""Where each module runs, in words for people."""

from hilum.config.site import Site
from hilum.environments import InEnvironment
from hilum.hosts import CHILD, kind_of
from hilum.hosts.container.card import ContainerModule
from hilum.module import Module
from hilum.servers.at_server import AtServer

IN_CHILD = "in a process of each worker, with the packages of Hilum"


def runs_in(site: Site, module: type[Module]) -> str:
    """Where `module` runs at this site, and with what."""
    settings = site.host_for(module.name)
    kind = settings.kind if settings else kind_of(module)
    if issubclass(module, InEnvironment):
        card = module.environment
        return f"in an environment of its own: {card.package}, with {card.python}"
    if issubclass(module, ContainerModule):
        return f"in a container for each run: {module.described.image}"
    if issubclass(module, AtServer):
        address = getattr(settings, "url", "")
        return f"on a server: {address}" if address else "on a server that no [[host]] names"
    return IN_CHILD if kind == CHILD else f"by a host of kind {kind}"
