"""The console: pages and API, as a process of its own.

It reads the records. A page that is open, or attacked, slows no decision.
"""

from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.console.known import KnownModules
from hilum.console.server import serve
from hilum.hosts.discovery import discover
from hilum.hosts.place import Place
from hilum.hosts.whereabouts import runs_in
from hilum.module import facts_of, inputs_of
from hilum.module.description import card_of
from hilum.module.takes import taken_by
from hilum.service.beginning import begin, open_records

# In s, with records that do not answer. It is longer than that of watchdogs and open pages, which
# have words of their own for it (`hilum.console.patience`).
PATIENCE = 8.0


def show(site: Site, file: SettingsFile | None) -> None:
    """Serve the console until SIGTERM."""
    begin(site.data)
    found, problems = discover(Place.of(site))
    modules = KnownModules(
        facts=tuple(map(facts_of, found.values())),
        cards={name: page for name, module in found.items() if (page := card_of(module)).text},
        needs={name: inputs_of(module) for name, module in found.items()},
        takes={name: taken_by(module) for name, module in found.items()},
        runs_in={name: runs_in(site, module) for name, module in found.items()},
        problems=problems,
    )
    serve(site, open_records(site, PATIENCE), modules, file)
