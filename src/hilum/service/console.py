"""The console: pages and API, as a process of its own.

It reads the records. A page that is open, or attacked, slows no decision.
"""

from hilum.config.site import Site
from hilum.console import serve
from hilum.module import facts_of, installed_modules
from hilum.records import Records, records_url
from hilum.service.beginning import begin


def show(site: Site) -> None:
    """Serve the console until SIGTERM."""
    begin(site.data)
    modules = installed_modules(site.models)
    serve(site, Records(records_url(site)), [facts_of(module) for module in modules.values()])
