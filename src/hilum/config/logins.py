"""How Hilum logs in at a web service by OAuth2, and where a login may be sent."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from hilum.config.fields import Settings, WebAddress, is_loopback


class OAuth2(Settings):
    """OAuth2 client credentials (RFC 6749 4.4); tokens are kept in memory only."""

    token_url: WebAddress = Field(
        description="Address that gives tokens, such as https://login/realms/pacs/token.",
        examples=["https://login/token"],
    )
    client_id: str = Field(
        min_length=1,
        description="Name of Hilum at the service that gives tokens.",
        examples=["hilum"],
    )
    secret_file: Path = Field(
        description="File holding the client secret.", examples=["/etc/hilum/secret"]
    )
    scope: str = Field("", description="Scopes that are asked for, separated by spaces.")
    audience: str = Field("", description="Audience that is asked for, where the service wants it.")


def is_open(address: str, proxy: str = "") -> bool:
    """Whether others could read what is sent to `address`: plain http beyond this machine."""
    if urlsplit(address).scheme == "https":
        return False
    return not all(is_loopback(urlsplit(hop).hostname or "") for hop in (address, proxy) if hop)
