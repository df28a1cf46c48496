"""Logins at web services: HTTP Basic, a Bearer token in a file, and OAuth2 client credentials.

A login whose token is refused (401) gets a new one and tries once more. httpx is imported with this
module, so whoever only reads settings must not import it.
"""

import functools
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any
from urllib.parse import quote

import httpx

from hilum.config.logins import OAuth2
from hilum.errors import RESTART, HilumError
from hilum.transport.retry_after import seconds_in

Error = Callable[[str], HilumError]
Delay = Callable[[str, float], HilumError]  # with a pause in s
LARGEST_ANSWER = 1 << 20  # bytes
MARGIN_SECONDS = 30.0  # before its end a token is no longer used
DEFAULT_SECONDS = 300.0  # how long a token holds that does not say so
KNOWN_ERRORS = {  # RFC 6749 5.2
    "invalid_client": "correct client_id and the secret in secret_file",
    "unauthorized_client": "allow client credentials for this client there",
    "unsupported_grant_type": "allow client credentials there",
    "invalid_scope": "correct scope",
    "invalid_request": "it may want a scope or an audience",
}


class TokenInFile(httpx.Auth):
    """Sends the token that `read` finds in its file."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._read()
        answer = yield _bearing(request, token)
        if answer.status_code == httpx.codes.UNAUTHORIZED and (again := self._read()) != token:
            yield _bearing(request, again)


class ClientCredentials(httpx.Auth):
    """Sends a token that an OAuth2 service gives for client credentials (RFC 6749 4.4)."""

    def __init__(
        self, settings: OAuth2, read: Callable[[], str], refused: Error, delayed: Delay
    ) -> None:
        self._settings = settings
        self._read = read
        self._refused = refused
        self._delayed = delayed
        self._token = kept_token(settings)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        with self._token.lock:
            if not self._token.holds():
                self._keep((yield self._question(request)))
            value = self._token.value
        answer = yield _bearing(request, value)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return
        with self._token.lock:
            if self._token.value == value:  # nobody else has renewed it meanwhile
                self._keep((yield self._question(request)))
            value = self._token.value
        yield _bearing(request, value)

    def _question(self, of: httpx.Request) -> httpx.Request:
        """The request for a token; the client logs in with HTTP Basic (RFC 6749 2.3.1).

        It is waited for as long as the request that it is for: else it would be without end.
        """
        settings = self._settings
        form = {
            "grant_type": "client_credentials",
            "scope": settings.scope,
            "audience": settings.audience,
        }
        request = httpx.Request(
            "POST",
            settings.token_url,
            data={key: value for key, value in form.items() if value},
            headers={"Accept": "application/json"},
            extensions={"timeout": of.extensions["timeout"]},
        )
        # Both are encoded before Basic joins them, so that they may hold a colon.
        client = (quote(settings.client_id, safe=""), quote(self._read(), safe=""))
        return next(httpx.BasicAuth(*client).auth_flow(request))

    def _keep(self, answer: httpx.Response) -> None:
        told = _told(answer)
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            pause = seconds_in(answer.headers.get("Retry-After", ""), time.time())
            raise self._delayed(f"its token service answers HTTP {answer.status_code}", pause)
        token = told.get("access_token")
        if not answer.is_success or not isinstance(token, str) or not is_token(token):
            said = str(told.get("error", ""))
            cure = KNOWN_ERRORS.get(said, "correct token_url, client_id and secret_file")
            code = said if said in KNOWN_ERRORS else f"HTTP {answer.status_code}"
            raise self._refused(
                f"its token service gives no token ({code}): {cure} in oauth2, {RESTART}"
            )
        self._token.keep(token, told.get("expires_in"))


def is_token(text: str) -> bool:
    """Whether `text` may be a Bearer token (RFC 6750 2.1), so that a header can hold it."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class _Token:
    """The token in memory, for all connections that log in with the same settings."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value = ""
        self._until = 0.0

    def holds(self) -> bool:
        return bool(self.value) and time.monotonic() < self._until

    def keep(self, value: str, seconds: Any) -> None:
        try:
            holds = float(seconds)
        except (TypeError, ValueError):
            holds = DEFAULT_SECONDS
        self.value = value
        self._until = time.monotonic() + max(holds - MARGIN_SECONDS, holds / 2)


@functools.cache
def kept_token(_settings: OAuth2) -> _Token:
    """The one token of these settings; a process has few of them."""
    return _Token()


class _InTime(httpx.SyncByteStream):
    """An answer of a token service that has to come whole within `seconds`, and be small.

    All who log in there wait for it.
    """

    def __init__(self, stream: httpx.SyncByteStream, seconds: float) -> None:
        self._stream = stream
        self._until = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        left = LARGEST_ANSWER
        for chunk in self._stream:
            left -= len(chunk)
            if left < 0 or time.monotonic() > self._until:
                raise httpx.ReadTimeout("it has no end")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _told(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object in the answer of a token service; empty where there is none."""
    assert isinstance(answer.stream, httpx.SyncByteStream), "nobody has read it"
    seconds = answer.request.extensions["timeout"]["read"]
    answer.stream = _InTime(answer.stream, float(seconds))
    answer.read()
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _bearing(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request
