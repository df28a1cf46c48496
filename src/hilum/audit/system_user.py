"""Who types a command, as the operating system knows them."""

import os
import pwd
import socket
from collections.abc import Mapping

from hilum.audit.auditor import Actor
from hilum.audit.entry import Origin


def actor_here(environment: Mapping[str, str] = os.environ) -> Actor:
    """The user who runs this command; where it runs by sudo, who typed that.

    The user is the one that the kernel knows, not what LOGNAME says. Only who may be any user has
    SUDO_USER from sudo for sure: so both are named.
    """
    user = _name_of(os.geteuid())
    person = environment.get("SUDO_USER") or user
    account, here = f"system user {user}", socket.gethostname()
    return Actor(person, account=account, address=here, origin=Origin.COMMAND_LINE)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
