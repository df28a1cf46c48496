"""The settings of the console: where it listens, how it is encrypted, how people sign in."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hilum.config.fields import Network, Port, Settings, WebAddress, is_loopback
from hilum.config.logins import is_open
from hilum.config.tls import ListenerTls, Tls
from hilum.errors import ConfigurationError
from hilum.privacy import secret_in

RoleName = Literal["viewer", "reader", "operator", "administrator"]  # of hilum.people.roles


def _host_name(value: str) -> str:
    if not value or any(letter in value for letter in "/:@* "):
        raise ValueError("a host name such as hilum.hospital.example, without scheme and port")
    return value.lower().rstrip(".")


HostName = Annotated[str, AfterValidator(_host_name)]


class OpenId(Settings):
    """Sign-in by a provider of OpenID Connect, such as the hospital's own."""

    issuer: WebAddress = Field(
        description="Address of the provider, whose /.well-known/openid-configuration describes "
        "it.",
        examples=["https://login.hospital.example/realms/staff"],
    )
    client_id: str = Field(
        min_length=1, description="Name of Hilum at the provider.", examples=["hilum"]
    )
    client_secret_file: Path = Field(
        description="File holding the client secret, which only our user may read.",
        examples=["/etc/hilum/openid-secret"],
    )
    role_claim: str = Field(
        "groups", min_length=1, description="Claim of the ID token that says what somebody is."
    )
    roles: dict[str, RoleName] = Field(
        min_length=1,
        description="Value of that claim = role; the first one that fits counts, and nobody gets "
        "in without one.",
        examples=[{"radiology": "reader"}],
    )
    scope: str = Field("openid profile", description="Scopes that are asked for.")
    tls: Tls | None = Field(
        None,
        description="Which certificates https trusts; empty means those that the system trusts.",
    )

    @model_validator(mode="after")
    def _asks_safely(self) -> "OpenId":
        if is_open(self.issuer):
            raise ValueError("issuer: who signs in would be seen by others: write https")
        if "openid" not in self.scope.split():
            raise ValueError("scope: openid must be among the scopes")
        return self

    def check(self) -> None:
        """Read the files; `ConfigurationError`, with the cure, if one cannot be used."""
        self.secret()
        if self.tls:
            self.tls.check()

    def secret(self) -> str:
        """The client secret."""
        try:
            return secret_in(self.client_secret_file, "the client secret")
        except ConfigurationError as error:
            raise ConfigurationError(f"client_secret_file: {error}") from error


class Console(Settings):
    """The web pages and the API."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(8040, description="HTTP port of the console.")
    names: tuple[HostName, ...] = Field(
        (),
        description="Host names that people call the console by; it answers to those, to its "
        "addresses and to localhost.",
    )
    tls: ListenerTls | None = Field(
        None, description="Encryption by TLS; without it the console speaks plain HTTP."
    )
    behind_proxy: bool = Field(
        False, description="Whether a reverse proxy stands before the console and encrypts."
    )
    proxies: tuple[Network, ...] = Field(
        (),
        description="Addresses or networks of reverse proxies, whose X-Forwarded-For is believed.",
    )
    idle_minutes: float = Field(
        60, gt=0, description="Minutes without a request after which a person is signed out."
    )
    session_hours: float = Field(
        12, gt=0, description="Hours after which a person is signed out in any case."
    )
    upload_gib: float = Field(
        20, gt=0, description="Largest upload in GiB, both as it comes and when it is unpacked."
    )
    upload_files: int = Field(100_000, gt=0, description="Most files in one upload.")
    openid: OpenId | None = Field(
        None, description="Sign-in by OpenID Connect; without it only by accounts of Hilum."
    )

    @property
    def address(self) -> str:
        """Where it is, as seen from this machine."""
        scheme = "https" if self.tls else "http"
        host = self.names[0] if self.names and not self.is_local else self.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers speak https, to us or to a proxy before us."""
        return self.tls is not None or self.behind_proxy

    @property
    def has_other_administrators(self) -> bool:
        """Whether somebody may be administrator without an account of Hilum."""
        return self.openid is not None and "administrator" in self.openid.roles.values()

    def check(self) -> None:
        """Read the files; `ConfigurationError`, with the cure, if one cannot be used."""
        for key, section in (("tls", self.tls), ("openid", self.openid)):
            try:
                if section:
                    section.check()
            except ConfigurationError as error:
                raise ConfigurationError(f"console.{key}.{error}") from error
