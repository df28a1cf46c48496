"""Whether settings can be used on this machine: what `hilum check` says of them.

`hilum serve` looks at the same before it starts, and before a changed file takes effect.
"""

import logging
from collections.abc import Callable
from contextlib import closing

from hilum.config.ends import check_tls
from hilum.config.site import Site
from hilum.errors import ConfigurationError, HilumError
from hilum.hosts import by_itself, kind_of, usual
from hilum.hosts.container.card import ContainerModule
from hilum.hosts.container.program import Containers
from hilum.hosts.discovery import discover, known_modules, require_parameters
from hilum.hosts.place import Place
from hilum.hosts.reaching import is_ours
from hilum.hosts.server import ServerHostSettings
from hilum.hosts.server.checking import checks_of
from hilum.hosts.walls import in_words, standing
from hilum.module import Module, facts_of, findings_for, require_resources
from hilum.people.everybody import Everybody
from hilum.results import DICOM
from hilum.servers.at_server import AtServer
from hilum.wording import suggestion

AT_A_START = ("data", "database")  # what cannot change while Hilum runs

log = logging.getLogger(__name__)


def check_rules(site: Site) -> None:
    """Raise `ConfigurationError` for what names a module that cannot be used."""
    place = Place.of(site)
    wanted = [("rule", rule.module) for rule in site.rule]
    wanted += [("route", name) for route in site.route for name in route.modules]
    wanted += [("host", host.module) for host in site.host]
    wanted += [("worklist", name) for one in site.worklist for name in one.modules.values()]
    modules, problems = discover(place, {name for _, name in wanted})
    for part, name in wanted:
        if name not in modules:
            why = problems.get(name) or f"not installed; known: {', '.join(known_modules(place))}"
            raise ConfigurationError(f"{part}: module {name!r}: {why}")
    for rule in site.rule:
        try:
            if not site.host_for(rule.module):
                by_itself(kind_of(modules[rule.module]), rule.module)
            require_parameters(modules[rule.module], rule.parameters, place)
            require_resources(modules[rule.module], site.worker.memory_mb, site.worker.threads)
            _require_givers(modules[rule.module], site)
        except ConfigurationError as error:
            raise ConfigurationError(f"rule: module {rule.module!r}: {error}") from error


def _require_givers(module: type[Module], site: Site) -> None:
    """Raise `ConfigurationError` if no rule runs what `module` needs findings of."""
    run = {rule.module for rule in site.rule}
    for given in findings_for(module).values():
        if not given.optional and given.module not in run:
            text = f"it needs what {given.module!r} finds: add a [[rule]] with that module"
            raise ConfigurationError(text)


def _of_rules(site: Site) -> dict[str, type[Module]]:
    """The modules that rules run, in their order, as far as they load."""
    names = dict.fromkeys(rule.module for rule in site.rule)
    found = discover(Place.of(site), names)[0]
    return {name: found[name] for name in names if name in found}


def check_norms(site: Site) -> None:
    """Raise `ConfigurationError` for norms that cannot be read; warn of those for other weights."""
    if not site.norms:
        return
    from hilum.comparison.norms import Norms  # it takes time, and most sites have none

    norms = Norms(site.norms)
    named = tuple(dict.fromkeys(table.settings.module for table in norms.tables))
    installed, problems = discover(Place.of(site), named)
    for name in named:
        if name in problems:
            raise ConfigurationError(f"norms: module {name!r}: {problems[name]}")
        if name not in installed:
            known = known_modules(Place.of(site))
            text = f"norms: module {name!r} is not installed{suggestion(name, known)}"
            raise ConfigurationError(text)
        for sentence in norms.remarks(facts_of(installed[name])):
            log.warning(sentence)


def check_walls(site: Site) -> None:
    """Raise `ConfigurationError` if a module would not start, or could look into our data.

    Warns of walls that are not there.
    """
    data = site.data.resolve()
    for host in site.host:
        for folder in getattr(host, "folders", ()):
            whole = folder.resolve()
            if not whole.is_dir():
                raise ConfigurationError(f"host: folders: {folder}: there is no such folder")
            if whole.is_relative_to(data) or data.is_relative_to(whole):
                raise ConfigurationError(
                    f"host: folders: {folder}: a module would see every study in {data}: name"
                    " another folder"
                )
    missing = standing()
    if not missing:
        return
    for name, module in _of_rules(site).items():
        takes_risk = getattr(site.host_for(name), "walls", "required") == "best-effort"
        if not takes_risk and not is_ours(module):
            raise ConfigurationError(
                f"host: module {name!r} does not start: {in_words(missing)[:-1]}; have one, or set"
                f' walls = "best-effort" in its [[host]] and run it without'
            )
    log.warning(in_words(missing))


def check_containers(site: Site) -> None:
    """Raise `ConfigurationError` if podman, or the image of a rule's module, is not here."""
    for name, module in _of_rules(site).items():
        if not issubclass(module, ContainerModule):
            continue
        settings = site.host_for(name) or usual(name, Place.of(site))
        try:
            Containers(getattr(settings, "program", "")).require(module.described.image)
        except HilumError as error:
            raise ConfigurationError(f"rule: module {name!r}: {error}") from error


def server_of(
    site: Site, name: str, module: type[Module]
) -> tuple[ServerHostSettings, type[AtServer]] | None:
    """The settings of the inference server of `module`, and what is asked; None without one."""
    settings = site.host_for(name)
    if isinstance(settings, ServerHostSettings) and issubclass(module, AtServer):
        return settings, module
    return None


def check_servers(site: Site) -> None:
    """Raise `ConfigurationError` if the inference server of a rule's module does not answer.

    It is asked, so this is no part of what is checked before a start.
    """
    for name, module in _of_rules(site).items():
        server = server_of(site, name, module)
        for told in checks_of(*server) if server else ():
            if not told.good:
                raise ConfigurationError(f"rule: module {name!r}: {told.text}")


ENCRYPT = (
    "console.host: beyond this machine, passwords and patient data would cross the network in the "
    "clear: set console.tls, or console.behind_proxy = true where a reverse proxy encrypts"
)
NOBODY = (
    "console.host: beyond this machine everybody signs in, and nobody could: "
    "`hilum people add NAME --role administrator` adds an account, or set console.openid"
)


def check_console(site: Site) -> None:
    """Raise `ConfigurationError` if strangers could read along, or nobody could sign in."""
    console = site.console
    console.check()
    if console.is_local:
        return
    if not console.is_encrypted:
        raise ConfigurationError(ENCRYPT)
    if console.openid is None:
        with closing(Everybody(site.data, console)) as everybody:
            if not everybody.accounts.has_administrator():
                raise ConfigurationError(NOBODY)


def check_ends(site: Site) -> None:
    """Raise `ConfigurationError` for what we connect to if it cannot be used."""
    check_tls("receiver", site.receiver.tls)
    for end in (*site.source, *site.destination, *site.worklist):
        end.check()
    for notifier in site.notify:
        notifier.check()
    for host in site.host:
        host.check()
    for collector in site.audit.syslog:
        check_tls(collector.name, collector.tls)
    for route in site.route:
        for destination in site.destinations(route.send_to if route.images else ()):
            if not destination.takes(DICOM):
                raise ConfigurationError(
                    f"route: destination {destination.name!r} takes no images: set images = false"
                )


CHECKS: dict[str, Callable[[Site], None]] = {
    "rules and modules": check_rules,
    "walls around modules": check_walls,
    "containers": check_containers,
    "norms": check_norms,
    "console": check_console,
    "archives, hosts, notifiers and certificates": check_ends,
}


def check_for(site: Site, *, has_console: bool) -> None:
    """Raise `ConfigurationError` for the first thing that cannot be used; nothing is connected.

    A service without the console does not look at its settings. That a container cannot run is a
    warning: only its studies have no result, and all others must not wait for it.
    """
    for check in CHECKS.values():
        if check is check_containers:
            try:
                check(site)
            except ConfigurationError as error:
                log.warning("%s", error)
        elif has_console or check is not check_console:
            check(site)


def check_change(running: Site, site: Site, *, has_console: bool) -> None:
    """The same for settings that are to be followed while Hilum runs by `running`."""
    fixed = [name for name in AT_A_START if getattr(site, name) != getattr(running, name)]
    if fixed:
        text = f"{' and '.join(fixed)} cannot change while Hilum runs: restart `hilum serve`"
        raise ConfigurationError(text)
    check_for(site, has_console=has_console)
