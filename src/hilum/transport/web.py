"""HTTP for the archives we fetch from and deliver to."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hilum.config.logins import OAuth2
from hilum.config.tls import Tls
from hilum.errors import (
    RESTART,
    ConfigurationError,
    DeliveryDelayed,
    HilumError,
    SourceDelayed,
)
from hilum.transport.retry_after import seconds_in
from hilum.transport.web_faults import cure_said_in, fault_in

if TYPE_CHECKING:  # imported when the first request is made: who only reads settings needs none
    import httpx

LARGEST_ANSWER = 64 << 20  # bytes, unless more is asked for
LARGEST_REFUSAL = 4096  # bytes that are read of an answer that was not expected
SLOWEST_LINE = 10_000  # bytes per second; what comes more slowly holds up a thread for ever
EVERY_STATUS = range(200, 600)
BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
CURES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the login is wrong: correct username, password_file, token_file or "
    f"oauth2, whichever the archive wants, {RESTART}",
    HTTPStatus.FORBIDDEN: "the user may not do this: give it the right in the archive",
    HTTPStatus.NOT_FOUND: f"there is no such service at that address: correct url, {RESTART}",
    HTTPStatus.NOT_ACCEPTABLE: "the archive cannot answer in the form asked for",
}
FOLLOWED = (  # with the same method and body (RFC 9110 15.4); 301 is meant so where we see it
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)
MOVED = (*FOLLOWED, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
MOST_REDIRECTS = 5


class Account(Protocol):
    """The settings of a source or destination that say where it is and how to log in."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def token_file(self) -> Path | None: ...
    @property
    def oauth2(self) -> OAuth2 | None: ...
    @property
    def tls(self) -> Tls | None: ...
    @property
    def proxy(self) -> str: ...
    @property
    def timeout_seconds(self) -> float: ...
    def secret(self) -> str: ...


class Failures(NamedTuple):
    """The errors that an `HttpClient` raises."""

    delayed: type[DeliveryDelayed | SourceDelayed]  # the same request may well succeed later
    refused: type[HilumError]  # a person must act; the text says the cure
    too_large: type[HilumError]  # the answer was not read to its end


class Response(NamedTuple):
    """The answer of an archive, decompressed. What it says may hold patient data."""

    status: int
    content: bytes
    media_type: str
    warning: str = ""  # its header of that name
    pause_seconds: float = 0.0  # for which it wants not to be asked again
    headers: Mapping[str, str] = MappingProxyType({})  # all of them, whatever letters are asked for


class HttpClient:
    """One keep-alive client for one archive; used by several threads.

    It logs in as the settings say. `cures` says what a person must do about an HTTP status, beside
    `CURES`, `bound` which setting an answer may be too large for. The transport sets TCP_NODELAY,
    so no request waits for Nagle's algorithm.
    """

    def __init__(
        self,
        account: Account,
        failures: Failures,
        cures: Mapping[int, str] | None = None,
        bound: str = "receiver.memory_mb",
    ) -> None:
        self._account = account
        self._failures = failures
        self._cures = CURES | dict(cures or {})
        self._bound = bound
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """End the connections; the next request makes them, and reads all files, anew."""
        if self._client:
            self._client.close()
        self._client = None

    def ask(
        self,
        method: str,
        path: str,
        largest: int = LARGEST_ANSWER,
        expected: Collection[int] = (),
        **request: Any,
    ) -> Response:
        """The answer of at most `largest` bytes: a success, or a status that is `expected`.

        An empty `path` is the address of the account itself.
        `request` is passed on to httpx: `params`, `headers`, `content`, which is iterated again
        where the request is repeated. A GET may be sent twice. A redirect is followed on the same
        host with the same request, but never from https to http.
        """
        import httpx

        self._client = self._client or self._opened()
        try:
            address = f"{self._account.url}/{path}" if path else self._account.url
            prepared = self._client.build_request(method, address, **request)
            try:
                return self._read(self._client, prepared, largest, expected)
            except httpx.RemoteProtocolError as error:
                # Orthanc ends idle connections after a second, perhaps just as we ask. What was to
                # be stored may have been: whoever sends it looks before sending it again.
                if method != "GET" or fault_in(error):
                    raise
                return self._read(self._client, prepared, largest, expected)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise self.refusal(f"not an http address: correct url, {RESTART}") from error
        except httpx.TimeoutException as error:
            raise self._delay("no answer in time") from error
        except httpx.ProxyError as error:
            raise self._delay(f"the proxy {self._account.proxy} does not let us through") from error
        except httpx.HTTPError as error:
            if fault := fault_in(error):
                raise self.refusal(fault) from error
            raise self._delay(self._unreachable(error)) from error

    def json(self, answer: Response) -> Any:
        """The JSON in `answer`; an empty list without content (204)."""
        try:
            return json.loads(answer.content) if answer.content else []
        except ValueError as error:
            raise self.refusal(f"does not answer in JSON: correct url, {RESTART}") from error

    def failure(self, answer: Response) -> HilumError:
        """The error for an answer with a status of 300 or more."""
        is_server_error = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if answer.status in self._cures or not (is_server_error or answer.status in BUSY):
            return self.refusal(answer.status)
        pause = answer.pause_seconds
        asks = f", and asks us to wait {pause:.0f} s" if pause else ""
        return self._delay(f"the archive answers HTTP {answer.status}{asks}", pause)

    def refusal(self, reason: str | int) -> HilumError:
        """The error for an HTTP status, or for a reason in words, that a person must act on."""
        if isinstance(reason, int):
            cure = self._cures.get(
                reason, f"unexpected: look into its log, or correct url, {RESTART}"
            )
            reason = f"HTTP {int(reason)}: {cure}"
        return self._failures.refused(f"{self._account.name}: {reason}")

    def _delay(self, text: str, pause_seconds: float = 0.0) -> HilumError:
        return self._failures.delayed(f"{self._account.name}: {text}", pause_seconds)

    def _unreachable(self, error: "httpx.HTTPError") -> str:
        import httpx

        who = ""
        oauth2 = self._account.oauth2
        with suppress(RuntimeError):  # it belongs to no request
            if oauth2 and error.request.url == httpx.URL(oauth2.token_url):
                who = "its token service "
        return f"{who}cannot be reached ({type(error).__name__})"

    # Making and sending requests ------------------------------------------------------------------

    def _opened(self) -> "httpx.Client":
        import httpx

        from hilum.transport.tls import client_context

        account = self._account
        self._secret()
        try:
            context = client_context(account.tls)
        except ConfigurationError as error:
            raise self._delay(str(error)) from error
        of_proxy = context if account.proxy.startswith("https:") else None
        return httpx.Client(
            auth=self._login(),
            timeout=account.timeout_seconds,
            verify=context,
            proxy=httpx.Proxy(account.proxy, ssl_context=of_proxy) if account.proxy else None,
            trust_env=False,  # no proxy of the environment: what holds stands in hilum.toml
        )

    def _login(self) -> "httpx.Auth | None":
        import httpx

        from hilum.transport.logins import ClientCredentials, TokenInFile

        account = self._account
        if account.token_file:
            return TokenInFile(self._secret)
        if account.oauth2:
            return ClientCredentials(account.oauth2, self._secret, self.refusal, self._delay)
        return httpx.BasicAuth(account.username, self._secret()) if account.username else None

    def _secret(self) -> str:
        from hilum.transport.logins import is_token

        try:
            secret = self._account.secret()
        except ConfigurationError as error:  # the file was changed since the start
            raise self._failures.refused(str(error)) from error
        if self._account.token_file and not is_token(secret):
            text = "token_file holds no token: write one line without blanks into it"
            raise self.refusal(text)
        return secret

    def _read(
        self,
        client: "httpx.Client",
        request: "httpx.Request",
        largest: int,
        expected: Collection[int],
    ) -> Response:
        asked = request.url
        for _ in range(MOST_REDIRECTS):
            response = client.send(request, stream=True)
            try:
                location = response.headers.get("Location", "")
                if response.status_code not in MOVED or not location:
                    return self._received(response, largest, expected)
                request = self._redirected(request, response.status_code, location, asked)
            finally:
                response.close()
        raise self.refusal(f"it redirects again and again: correct url, {RESTART}")

    def _redirected(
        self, request: "httpx.Request", status: int, location: str, asked: "httpx.URL"
    ) -> "httpx.Request":
        """The same request at `location`; a refusal that tells it if we do not go there."""
        import httpx

        target = request.url.join(location)
        is_safe = target.scheme == "https" or request.url.scheme == target.scheme == "http"
        if status not in FOLLOWED or target.host != request.url.host or not is_safe:
            root = f"{target.scheme}://{target.netloc.decode('ascii')}{target.path}"
            below = asked.path.removeprefix(httpx.URL(self._account.url).path)
            place = root.removesuffix(below)[:LARGEST_REFUSAL]
            raise self.refusal(
                f"HTTP {status}: it redirects to {place}: if that is the right service, write it "
                f"in url, {RESTART}"
            )
        headers = request.headers.copy()
        headers["Host"] = target.netloc.decode("ascii")
        return httpx.Request(
            request.method,
            target,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def _received(
        self, response: "httpx.Response", largest: int, expected: Collection[int]
    ) -> Response:
        is_wanted = response.is_success or response.status_code in expected
        largest = largest if is_wanted else LARGEST_REFUSAL
        content = _content_of(response, largest)
        if len(content) > largest and is_wanted:
            text = f"its answer is too large for {self._bound}"
            raise self._failures.too_large(f"{self._account.name}: {text}")
        headers = response.headers
        answer = Response(
            response.status_code,
            content,
            headers.get("Content-Type", ""),
            headers.get("Warning", ""),
            seconds_in(headers.get("Retry-After", ""), time.time()),
            headers,
        )
        if answer.status == HTTPStatus.BAD_REQUEST and (
            cure := cure_said_in(content[:LARGEST_REFUSAL])
        ):
            raise self.refusal(cure)
        if not is_wanted:
            raise self.failure(answer)
        return answer


def _in_time(response: "httpx.Response") -> Iterator[bytes]:
    """What comes of an answer; `httpx.ReadTimeout` where it only trickles in."""
    import httpx

    patience = float(response.request.extensions["timeout"]["read"])  # s, for the next bytes
    began = time.monotonic()
    for chunk in response.iter_bytes():
        patience += len(chunk) / SLOWEST_LINE
        if time.monotonic() - began > patience:
            raise httpx.ReadTimeout("it trickles in", request=response.request)
        yield chunk


def _content_of(response: "httpx.Response", most: int) -> bytes:
    """The content of an answer; if it has more than `most` bytes, a little more than these."""
    content = bytearray()
    for chunk in _in_time(response):
        content += chunk
        if len(content) > most:
            break
    return bytes(content)
