"""The console of a site in this process, on a free port."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.console.app import NONE_KNOWN, application
from hilum.console.endpoints import Endpoints
from hilum.console.known import KnownModules
from hilum.console.server import configuration
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of, inputs_of
from hilum.records import Records
from hilum_lab.network.processes import available_port
from tests.answering import app_answering


@contextmanager
def serving(
    site: Site,
    records: Records,
    further: Iterable[Endpoints] = (),
    port: int = 0,
    file: SettingsFile | None = None,
    modules: KnownModules = NONE_KNOWN,
) -> Iterator[str]:
    """Its address; `further` are endpoints of the test, beside ours.

    Where the `file` of its settings is given, they can be changed, and the installed modules used.
    """
    port = port or available_port()
    if file:
        installed = installed_modules().values()
        needs = {module.name: inputs_of(module) for module in installed}
        modules = KnownModules(tuple(map(facts_of, installed)), needs=needs)
    made = application(site, records, modules, file)
    for endpoints in further:
        endpoints.add_to(made.router)
    with app_answering(configuration(made, site.console, port), "the console"):
        yield f"{'https' if site.console.tls else 'http'}://127.0.0.1:{port}"


@contextmanager
def serving_empty(site: Site) -> Iterator[str]:
    """The same with records of its own, in which nothing is."""
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        yield url
