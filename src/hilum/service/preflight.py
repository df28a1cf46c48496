"""Checks before `hilum serve` starts anything: settings, ports, the data folder."""

import errno
import fcntl
import logging
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from hilum.comparison.norms import Norms
from hilum.config.kinds import check_tls
from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.hosts.reaching import is_ours
from hilum.hosts.walls import in_words, standing
from hilum.module import discover, facts_of, installed_modules
from hilum.people.everybody import Everybody
from hilum.privacy import make_private
from hilum.results import DICOM
from hilum.service.roles import Role
from hilum.wording import suggestion

MOUNT_WRITABLE = ": mount its disk so that it can be written"

log = logging.getLogger(__name__)


@contextmanager
def alone_in(data: Path, roles: Collection[Role]) -> Iterator[None]:
    """Keep others out of `roles` in a data folder. There may be any number of workers.

    Raises
    ------
    ConfigurationError
        Another `hilum serve` has one of them there, or it is no folder we can use.
    """
    try:
        make_private(data)
    except OSError as error:
        cure = MOUNT_WRITABLE if error.errno == errno.EROFS else ""
        raise ConfigurationError(f"data: {data}: {error.strerror}{cure}") from error
    with ExitStack() as locks:
        for role in sorted(set(roles) - {Role.WORKER}):
            locks.enter_context(_locked(data, role))
        yield


@contextmanager
def _locked(data: Path, role: Role) -> Iterator[None]:
    try:
        lock = (data / f"{role}.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"data: {data}: {error.strerror}") from error
    with lock:  # the kernel releases it with the process, however that ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"data: another `hilum serve` works in {data} ({role})"
            raise ConfigurationError(text) from error
        except OSError as error:
            text = f"data: {data} cannot be locked: {error.strerror}"
            raise ConfigurationError(text) from error
        yield


def require_free_ports(site: Site, roles: Collection[Role]) -> None:
    """Raise `ConfigurationError` if another program listens where we are to listen."""
    for name, host, port in (
        (Role.RECEIVER, site.receiver.host, site.receiver.port),
        (Role.CONSOLE, site.console.host, site.console.port),
    ):
        if name not in roles:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(f"{name}.port {port}: {error.strerror}") from error


def check_rules(site: Site) -> None:
    """Raise `ConfigurationError` for a rule, route or host of a module that cannot be used."""
    modules, problems = discover(site.models)
    wanted = [("rule", rule.module) for rule in site.rule]
    wanted += [("route", name) for route in site.route for name in route.modules]
    wanted += [("host", host.module) for host in site.host]
    for place, name in wanted:
        if name not in modules:
            why = problems.get(name) or f"not installed; known: {', '.join(sorted(modules))}"
            raise ConfigurationError(f"{place}: module {name!r}: {why}")


def check_norms(site: Site) -> None:
    """Raise `ConfigurationError` for norms that cannot be read; warn of those for other weights."""
    norms = Norms(site.norms)
    installed = installed_modules(site.models) if norms.tables else {}
    for name in dict.fromkeys(table.settings.module for table in norms.tables):
        if name not in installed:
            text = f"norms: module {name!r} is not installed{suggestion(name, installed)}"
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
    hosts = {settings.module: settings for settings in site.host}
    installed = installed_modules(site.models)
    for name in dict.fromkeys(rule.module for rule in site.rule):
        takes_risk = getattr(hosts.get(name), "walls", "required") == "best-effort"
        if name in installed and not takes_risk and not is_ours(installed[name]):
            raise ConfigurationError(
                f"host: module {name!r} does not start: {in_words(missing)[:-1]}; have one, or set"
                f' walls = "best-effort" in its [[host]] and run it without'
            )
    log.warning(in_words(missing))


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
    for end in (*site.source, *site.destination):
        end.check()
    for notifier in site.notify:
        notifier.check()
    for collector in site.audit.syslog:
        check_tls(collector.name, collector.tls)
    for route in site.route:
        for destination in site.destinations(route.send_to if route.images else ()):
            if not destination.takes(DICOM):
                raise ConfigurationError(
                    f"route: destination {destination.name!r} takes no images: set images = false"
                )
