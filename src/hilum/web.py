"""HTTP clients for the archives we fetch from and deliver to."""

import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import httpx

from hilum.errors import ConfigurationError


class Account(Protocol):
    """The settings of a source or destination that say how to log in."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password_file(self) -> Path | None: ...
    @property
    def timeout_seconds(self) -> float: ...


BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


def is_busy(response: httpx.Response) -> bool:
    """Whether the same request may well succeed later."""
    return response.is_server_error or response.status_code in BUSY


def client(account: Account) -> httpx.Client:
    """A client with HTTP Basic authentication where a user is named.

    Certificates are checked against the store of the system, where a hospital adds its own.

    Raises
    ------
    ConfigurationError
        The password file cannot be read.
    """
    password = ""
    if account.password_file:
        try:
            password = account.password_file.read_text().strip()
        except OSError as error:
            text = f"{account.name}: cannot read password_file: {error.strerror}"
            raise ConfigurationError(text) from error
    auth = httpx.BasicAuth(account.username, password) if account.username else None
    # No proxy or other setting of the environment: what holds stands in hilum.toml.
    return httpx.Client(
        auth=auth,
        timeout=account.timeout_seconds,
        verify=ssl.create_default_context() if account.url.startswith("https") else False,
        trust_env=False,
    )
