"""Which processes a role has, with which arguments, and which settings they work by."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, assert_never

from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.hints import gateway_address, worker_address
from hilum.service.roles import Role

# What one role does not use is not given to it, so that no change of it ends its processes.
WATCHED_BY = ("data", "database", "receiver")
WORKED_BY = (
    *("data", "database", "models", "worker", "corrections", "priors"),
    *("destination", "rule", "host", "route", "norms"),
)
SHOWN_BY = ("data", "database", "models", "console", "audit")  # the rest is exchanged as it runs


@dataclass(frozen=True)
class Task:
    """A process of a role, and its arguments. It begins anew when its `settings` change."""

    role: Role
    arguments: tuple[Any, ...]
    settings: object

    def perform(self) -> None:
        """Be that process."""
        from hilum.service.processes import CALLED  # the parent needs nothing of it

        CALLED[self.role](*self.arguments)


def tasks(
    site: Site, role: Role, beside: Collection[Role], file: SettingsFile | None = None
) -> dict[str, Task]:
    """The processes of a role by their names.

    `beside` are the roles that this machine has: a gateway elsewhere cannot wake its workers.
    """
    hints = gateway_address(site.data)
    match role:
        case Role.RECEIVER:
            arguments = (site.receiver, site.data, hints)
            return {"receiver": Task(role, arguments, site.receiver)}
        case Role.UPDATES:
            listener = site.patient_updates
            if not listener.enabled:
                return {}
            return {"updates": Task(role, (listener, site.data, hints), listener)}
        case Role.GATEWAY:
            return {"gateway": Task(role, (site,), site)}
        case Role.CONSOLE:
            return {"console": Task(role, (site, file), part(site, SHOWN_BY))}
        case Role.WATCHER:
            own = part(site, WATCHED_BY)
            return {
                f"source-{one.name}": Task(role, (own, one, hints), (own, one))
                for one in site.source
            }
        case Role.WORKER:
            own, is_woken = part(site, WORKED_BY), Role.GATEWAY in beside
            addresses = [worker_address(site.data, n) for n in range(site.worker.count)]
            return {
                f"worker-{n}": Task(role, (own, address if is_woken else None), own)
                for n, address in enumerate(addresses)
            }
    assert_never(role)


def part(site: Site, sections: Collection[str]) -> Site:
    """`site` with only these sections; all others are as if they were not in the file."""
    return Site.model_construct(**{name: getattr(site, name) for name in sections})
