"""The link that opens the console for whoever sits at the machine and may read its data folder."""

import os
import pwd
import socket
from contextlib import closing

from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.people.everybody import Everybody


def entrance(site: Site, seconds: float, user: str) -> str:
    """A link that signs `user` in as administrator, once, within so many `seconds`.

    The key stands behind `#`, which browsers send to nobody.

    Raises
    ------
    HilumError
        Others reach the console, too: there, everybody signs in with a name.
    """
    _require_local(site)
    with closing(Everybody(site.data, site.console)) as everybody:
        key = everybody.links.make(user, seconds)
    return f"{site.console.address}/enter#{key}"


def require_console(site: Site, seconds: float = 5.0) -> None:
    """Raise `HilumError` if no link opens the console of `site`, or nothing listens there."""
    _require_local(site)
    console = site.console
    try:
        socket.create_connection((console.host, console.port), seconds).close()
    except OSError as error:
        raise HilumError(
            f"no console listens at {site.console.address}: start `hilum serve`, then type "
            "`hilum console` again"
        ) from error


def _require_local(site: Site) -> None:
    if not site.console.is_local:
        text = "the console listens beyond this machine, where everybody signs in with a name: "
        raise HilumError(text + "`hilum people add NAME --role administrator` makes an account")


def system_user() -> str:
    """The name of the user who runs this command, as the system has it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
