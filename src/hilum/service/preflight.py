"""Checks before `hilum serve` starts anything: ports, and who else works in the data folder."""

import errno
import fcntl
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.privacy import denied, make_private
from hilum.service.roles import Role

MOUNT_WRITABLE = ": mount its disk so that it can be written"
CURES: dict[int | None, str] = {  # where nobody can listen
    errno.EADDRINUSE: "another program listens there, such as another Hilum: stop it, or set "
    "another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: set one of its own, or 0.0.0.0",
    errno.EACCES: "a port below 1024 needs a right of its own: set another port, or give the "
    "service CAP_NET_BIND_SERVICE",
}


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
        raise ConfigurationError(f"data: {data}: {denied(error, data)}{cure}") from error
    with ExitStack() as locks:
        for role in sorted(set(roles) - {Role.WORKER}):
            locks.enter_context(_locked(data, role))
        yield


@contextmanager
def _locked(data: Path, role: Role) -> Iterator[None]:
    try:
        lock = (data / f"{role}.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"data: {data}: {denied(error, data)}") from error
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
    """Raise `ConfigurationError`, which names each of them, if we cannot listen where we are to."""
    listeners = [
        (Role.RECEIVER, "receiver", site.receiver.host, site.receiver.port),
        (Role.CONSOLE, "console", site.console.host, site.console.port),
    ]
    if (updates := site.patient_updates).enabled:
        listeners.append((Role.UPDATES, "patient_updates", updates.host, updates.port))
    of_us = [_objection(name, host, port) for role, name, host, port in listeners if role in roles]
    if problems := list(filter(None, of_us)):
        raise ConfigurationError("\n".join(problems))


def _objection(name: str, host: str, port: int) -> str:
    """Why nobody can listen there, and what to do; "" if somebody can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            is_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
            setting = f"{name}.port {port}" if is_port else f"{name}.host {host}"
            return f"{setting}: {CURES.get(error.errno, error.strerror)}"
    return ""
