"""The link that opens the console for whoever sits at the machine and may read its data folder."""

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
    console = site.console
    if not console.is_local:
        text = "the console listens beyond this machine, where everybody signs in with a name: "
        raise HilumError(text + "`hilum people add NAME --role administrator` makes an account")
    with closing(Everybody(site.data, console)) as everybody:
        key = everybody.links.make(user, seconds)
    return f"{address_of(site)}/enter#{key}"


def address_of(site: Site) -> str:
    """Where the console of this machine is."""
    console = site.console
    scheme = "https" if console.tls else "http"
    host = f"[{console.host}]" if ":" in console.host else console.host
    return f"{scheme}://{host}:{console.port}"
