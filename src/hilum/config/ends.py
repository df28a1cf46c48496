"""What is at the other end of a connection: where it is, how Hilum logs in, and whom it trusts.

Several kinds of sources, destinations, notifiers and worklists share these settings.
"""

from typing import Annotated

from pydantic import Field, model_validator

from hilum.config.fields import AETitle, FileIfAny, Name, OrEmpty, Port, Settings, WebAddress
from hilum.config.logins import OAuth2, is_open
from hilum.config.tls import Tls
from hilum.errors import ConfigurationError
from hilum.privacy import secret_in


class End(Settings):
    """A source or a destination: where images come from, or where results go."""

    name: Name = Field(
        description="Name that rules, the console and the records use.", examples=["archive"]
    )
    kind: str = Field(description="What it is; each kind has settings of its own.")
    timeout_seconds: float = Field(30, gt=0, description="Longest wait for one answer, in seconds.")

    def check(self) -> None:
        """Look at what can be wrong before anything starts, such as a password file.

        Raises
        ------
        ConfigurationError
            The settings cannot be used as they are; the text says the cure.
        """


class DicomNode(End):
    """A DICOM application that Hilum calls, and as whom it calls."""

    host: str = Field("127.0.0.1", description="Address of the archive.")
    port: Port = Field(4242, description="DICOM port of the archive.")
    ae_title: AETitle = Field("ORTHANC", description="AE title of the archive.")
    calling_ae_title: AETitle = Field("HIPPOAI", description="AE title that Hilum calls with.")
    tls: Tls | None = Field(
        None,
        description="Encryption by TLS, whom we trust, and our certificate; without it nothing is "
        "encrypted.",
    )

    def check(self) -> None:
        super().check()
        check_tls(self.name, self.tls)


class WebAccount(Settings):
    """Where a web service is, and how Hilum logs in: in one way, or not at all."""

    url: WebAddress = Field(
        description="Root of the service, such as http://pacs:8042.",
        examples=["http://127.0.0.1:8042"],
    )
    username: str = Field("", description="User name for HTTP Basic authentication.")
    password_file: FileIfAny = Field(None, description="File holding the password.")
    token_file: FileIfAny = Field(
        None, description="File holding a Bearer token; it is read anew for each request."
    )
    oauth2: OAuth2 | None = Field(
        None, description="Where Bearer tokens come from, by OAuth2 client credentials."
    )
    tls: Tls | None = Field(
        None,
        description="Which certificates https trusts, and our client certificate; empty means "
        "those that the system trusts.",
    )
    proxy: Annotated[WebAddress, OrEmpty] = Field(
        "", description="Proxy that requests go through, such as http://proxy:3128."
    )

    def check_account(self, name: str) -> None:
        """Read the files that are named; `ConfigurationError` says which of `name` is of no use."""
        self.secret_of(name)
        check_tls(name, self.tls)

    def secret_of(self, name: str) -> str:
        """The password, token or client secret in the file that is named, "" if none is.

        Raises
        ------
        ConfigurationError
            The file cannot be used; the text has the `name` of the service and the cure.
        """
        key, file, what = "password_file", self.password_file, "the password"
        if self.token_file:
            key, file, what = "token_file", self.token_file, "the token"
        elif self.oauth2:
            key, file, what = "oauth2.secret_file", self.oauth2.secret_file, "the secret"
        if not file:
            return ""
        try:
            return secret_in(file, what)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name}: {key}: {error}") from error

    def addresses(self) -> dict[str, str]:
        """Where the login is sent, by the name of the setting."""
        token = {"oauth2.token_url": self.oauth2.token_url} if self.oauth2 else {}
        return {"url": self.url, **token}

    @model_validator(mode="after")
    def _logs_in_safely(self) -> "WebAccount":
        logins = (self.username, self.token_file, self.oauth2)
        if sum(bool(login) for login in logins) > 1:
            raise ValueError("keep one login: username and password_file, token_file, or oauth2")
        if self.password_file and not self.username:
            raise ValueError("password_file is of no use without username: name the user")
        if any(logins):
            for key, address in self.addresses().items():
                if is_open(address, self.proxy):
                    raise ValueError(
                        f"{key}: a password or token would cross the network in the clear: write "
                        f"https instead of http"
                    )
        return self


class WebService(WebAccount, End):
    """A source or destination that Hilum asks by HTTP."""

    def check(self) -> None:
        super().check()
        self.check_account(self.name)

    def secret(self) -> str:
        """The secret of this service, as `secret_of` reads it."""
        return self.secret_of(self.name)


class DicomwebService(WebService):
    """A service that answers QIDO-RS (PS3.18 10.6)."""

    query_identifiers: bool = Field(
        False,
        description="Whether `hilum why` may look for studies here by patient ID and accession "
        "number. These then stand in addresses, and so in the logs of servers on the way. The UID "
        "of a study may always stand there.",
    )


def check_tls(name: str, tls: Tls | None) -> None:
    """Read the files of `tls`; `ConfigurationError` says which cannot be used, and the cure."""
    try:
        if tls:
            tls.check()
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: tls.{error}") from error
