"""HTTP for the archives we fetch from and deliver to."""

import functools
import json
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from hilum.errors import RESTART, ConfigurationError, HilumError

if TYPE_CHECKING:  # imported when the first request is made: who only reads settings needs none
    import httpx

LARGEST_ANSWER = 64 << 20  # bytes, unless more is asked for
BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
CURES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "user name or password are wrong: correct username, "
    f"password_file, {RESTART}",
    HTTPStatus.FORBIDDEN: "the user may not do this: give it the right in the archive",
    HTTPStatus.NOT_FOUND: f"there is no such service at that address: correct url, {RESTART}",
    HTTPStatus.NOT_ACCEPTABLE: "the archive cannot answer in the form asked for",
}
UNTRUSTED = (
    f"its certificate is not trusted: add who signed it to the system's certificates, {RESTART}"
)


class Account(Protocol):
    """The settings of a source or destination that say where it is and how to log in."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def timeout_seconds(self) -> float: ...
    def password(self) -> str: ...


class Failures(NamedTuple):
    """The errors that an `HttpClient` raises."""

    delayed: type[HilumError]  # the same request may well succeed later
    refused: type[HilumError]  # a person must act; the text says the cure
    too_large: type[HilumError]  # the answer was not read to its end


class Response(NamedTuple):
    """The answer of an archive, decompressed."""

    status: int
    content: bytes
    media_type: str


class HttpClient:
    """One keep-alive client for one archive; used by several threads.

    It logs in with HTTP Basic authentication where a user is named. `cures` says what a person must
    do about an HTTP status, beside `CURES`. The transport sets TCP_NODELAY, so no request waits for
    Nagle's algorithm.
    """

    def __init__(
        self, account: Account, failures: Failures, cures: Mapping[int, str] | None = None
    ) -> None:
        self._account = account
        self._failures = failures
        self._cures = CURES | dict(cures or {})
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """End the connections; the next request makes them, and reads the password, anew."""
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

        `request` is passed on to httpx: `params`, `headers`, `content`. A GET may be sent twice.
        """
        import httpx

        self._client = self._client or self._opened()
        try:
            prepared = self._client.build_request(method, f"{self._account.url}/{path}", **request)
            try:
                return self._read(self._client, prepared, largest, expected)
            except httpx.RemoteProtocolError:
                # Orthanc ends idle connections after a second, perhaps just as we ask. What was to
                # be stored may have been: whoever sends it looks before sending it again.
                if method != "GET":
                    raise
                return self._read(self._client, prepared, largest, expected)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise self.refusal(f"not an http address: correct url, {RESTART}") from error
        except httpx.TimeoutException as error:
            raise self._delay("no answer in time") from error
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self.refusal(UNTRUSTED) from error
            raise self._delay(f"cannot be reached ({type(error).__name__})") from error

    def json(self, answer: Response) -> Any:
        """The JSON in `answer`; an empty list without content (204)."""
        try:
            return json.loads(answer.content) if answer.content else []
        except ValueError as error:
            raise self.refusal(f"does not answer in JSON: correct url, {RESTART}") from error

    def refusal(self, reason: str | int) -> HilumError:
        """The error for an HTTP status, or for a reason in words, that a person must act on."""
        if isinstance(reason, int):
            cure = self._cures.get(
                reason, f"unexpected: look into its log, or correct url, {RESTART}"
            )
            reason = f"HTTP {int(reason)}: {cure}"
        return self._failures.refused(f"{self._account.name}: {reason}")

    def _delay(self, text: str) -> HilumError:
        return self._failures.delayed(f"{self._account.name}: {text}")

    def _opened(self) -> "httpx.Client":
        import httpx

        account = self._account
        try:
            password = account.password()
        except ConfigurationError as error:  # the file was changed since the start
            raise self._failures.refused(str(error)) from error
        return httpx.Client(
            auth=httpx.BasicAuth(account.username, password) if account.username else None,
            timeout=account.timeout_seconds,
            verify=trusted_certificates(),
            trust_env=False,  # no proxy of the environment: what holds stands in hilum.toml
        )

    def _read(
        self,
        client: "httpx.Client",
        request: "httpx.Request",
        largest: int,
        expected: Collection[int],
    ) -> Response:
        response = client.send(request, stream=True)
        try:
            status = response.status_code
            if status not in expected and not response.is_success:
                if response.is_server_error or status in BUSY:
                    raise self._delay(f"the archive answers HTTP {status}")
                raise self.refusal(status)
            chunks = []
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                largest -= len(chunk)
                if largest < 0:
                    text = "its answer is too large for receiver.memory_mb"
                    raise self._failures.too_large(f"{self._account.name}: {text}")
            return Response(status, b"".join(chunks), response.headers.get("Content-Type", ""))
        finally:
            response.close()


Item = TypeVar("Item")


def batches(
    items: Iterable[Item], size_of: Callable[[Item], int], limit: int
) -> Iterator[list[Item]]:
    """Groups of at most `limit` bytes, to be in memory at one time; a larger item is alone."""
    batch: list[Item] = []
    size = 0
    for item in items:
        length = size_of(item)
        if batch and size + length > limit:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """The system's store of certificates, where a hospital adds its own. Reading takes 0.07 s."""
    return ssl.create_default_context()
