"""The console: pages and API, as a process of its own.

It reads the records. A page that is open, or attacked, slows no decision.
"""

from pathlib import Path

from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.console.server import serve
from hilum.hosts.whereabouts import runs_in
from hilum.module import facts_of, inputs_of, installed_modules
from hilum.service.beginning import begin, open_records


def show(site: Site, file: SettingsFile | None) -> None:
    """Serve the console until SIGTERM."""
    begin(site.data)
    modules = installed_modules(site.models).values()
    cards = {module.name: Path(module.card) for module in modules if hasattr(module, "card")}
    needs = {module.name: inputs_of(module) for module in modules}
    places = {module.name: runs_in(site, module) for module in modules}
    facts = [facts_of(module) for module in modules]
    serve(site, open_records(site), facts, cards, needs, file, places)
