"""What a site gives to everything that runs a module there."""

from dataclasses import dataclass, field
from pathlib import Path

from hilum.config.kinds import HostSettings
from hilum.config.site import Site, Worker

CHILD = "child"  # the kind of host for modules that name no other


@dataclass(frozen=True)
class Place:
    """What a host is given beside its own settings.

    The limits of a run, the models of the site, the data folder, which no module may look into, and
    every `[[host]]`. `shows_output`: what the module prints is seen where Hilum was started.
    """

    limits: Worker = field(default_factory=Worker)
    models: Path | None = None
    data: Path | None = None
    shows_output: bool = False
    hosts: tuple[HostSettings, ...] = ()

    @classmethod
    def of(cls, site: Site) -> "Place":
        """That of the processes of `site`."""
        return cls(site.worker, site.models, site.data.resolve(), hosts=tuple(site.host))

    def host_for(self, module: str) -> HostSettings | None:
        """The `[[host]]` of `module`, None where there is none."""
        return next((host for host in self.hosts if host.module == module), None)
