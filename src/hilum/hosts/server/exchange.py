"""One exchange with an inference server: bounded, repeated where that may help, told in words."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.config.logins import OAuth2
from hilum.config.tls import Tls
from hilum.errors import RESTART, ModuleError, ServerAway, ServerError, SourceDelayed
from hilum.hosts.waiting import Deadline
from hilum.servers import ServerReply, ServerRequest
from hilum.transport.web import BUSY, EVERY_STATUS, Failures, HttpClient, Response
from hilum.wording import printable

if TYPE_CHECKING:
    from hilum.hosts.server import ServerHostSettings

JSON_LENGTH = "Inference-Header-Content-Length"  # of KServe's binary tensor data extension
MEBIBYTE = 1 << 20
REST_SECONDS = 60.0  # in which a server that was away is not asked
LONGEST_PAUSE = 60.0  # seconds that are chosen here; a server may want more
LONGEST_REASON = 200  # characters of what a server says of its failure
CURES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the login is wrong: correct username, password_file, token_file or "
    f"oauth2 of the [[host]], whichever the server wants, {RESTART}",
    HTTPStatus.FORBIDDEN: "the login may not do this: give it the right on the server",
    HTTPStatus.NOT_FOUND: "the server has no such model: correct url of the [[host]] or the name of"
    f" the model in the card, {RESTART}",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the server takes no body of that size: raise its limit",
}

NOT_READY = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)  # as Triton and others answer

log = logging.getLogger(__name__)


class HostAccount:
    """The settings of the host as those of a web service; `name` is what a message begins with."""

    def __init__(self, settings: "ServerHostSettings") -> None:
        self.name = f"the server of {settings.module}"
        self.url: str = settings.url
        self.username: str = settings.username
        self.token_file: Path | None = settings.token_file
        self.oauth2: OAuth2 | None = settings.oauth2
        self.tls: Tls | None = settings.tls
        self.proxy: str = settings.proxy
        self.timeout_seconds: float = settings.timeout_seconds
        self.secret: Callable[[], str] = partial(settings.secret_of, settings.module)


@dataclass
class ServerTraffic:
    """How often the server was asked in one run, and the bytes that went there and came back."""

    requests: int = 0
    sent: int = 0
    received: int = 0


class ServerExchange:
    """The connection to one server; it is made when first needed."""

    def __init__(self, settings: "ServerHostSettings") -> None:
        self.traffic = ServerTraffic()
        self._settings = settings
        self._account = HostAccount(settings)
        self._client = self._opened()
        self._rests_until, self._reason = 0.0, ""

    def _opened(self) -> HttpClient:
        failures = Failures(SourceDelayed, ServerError, ServerError)
        return HttpClient(self._account, failures, CURES, bound="answer_mb of its [[host]]")

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def ask(
        self,
        request: ServerRequest,
        deadline: Deadline,
        note: Callable[[], None] = lambda: None,
    ) -> ServerReply:
        """What the server answers with success; `note` is called before anything leaves for it.

        It is asked again after a pause where it is busy, down or has an error (408, 425, 429 and
        5xx), and not where it refuses.

        Raises
        ------
        ServerError
            It refuses; the text says why. `ServerAway` where all attempts have failed, and for a
            minute after that: other modules need the worker, too. Also as `Deadline.require`.
        """
        if time.monotonic() < self._rests_until:
            raise ServerAway(self._reason)
        self._require_size(request)
        note()
        pause = self._settings.retry_seconds
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return self._attempt(request, deadline)
            except SourceDelayed as error:
                reason, wanted = str(error), max(pause, error.pause_seconds)
            log.warning("%s; attempt %d", reason, attempt)
            if attempt < self._settings.attempts:
                _rest(wanted, deadline)
            pause = min(2 * pause, max(LONGEST_PAUSE, pause))
        self._rests_until = time.monotonic() + REST_SECONDS
        self._reason = f"{reason}; it was asked {self._settings.attempts} times"
        raise ServerAway(self._reason)

    def _require_size(self, request: ServerRequest) -> None:
        size, most = len(request.content), self._settings.request_mb
        if size > most * MEBIBYTE:
            raise ServerError(
                f"{self._account.name} would get {-(-size // MEBIBYTE)} MiB at once, more than"
                f" request_mb = {most}: raise it in the [[host]], and the server's own limit with"
                f" it, {RESTART}"
            )

    def _attempt(self, request: ServerRequest, deadline: Deadline) -> ServerReply:
        """One attempt, in a thread of its own: the deadline is looked at meanwhile."""
        largest = self._settings.answer_mb * MEBIBYTE
        with _one_thread() as thread:
            outcome = thread.submit(_outcome, self._client, request, largest)
            while not wait([outcome], deadline.look_seconds).done:
                self._require(deadline)
        answer = outcome.result()
        self.traffic.requests += 1
        self.traffic.sent += len(request.content)
        self.traffic.received += len(answer.content)
        return self._judged(answer, request)

    def _require(self, deadline: Deadline) -> None:
        try:
            deadline.require()
        except ModuleError:
            self._client.close()  # and with it the request that nobody waits for
            self._client = self._opened()
            raise

    def _judged(self, answer: Response, request: ServerRequest) -> ServerReply:
        is_there = request.exists and answer.status == HTTPStatus.METHOD_NOT_ALLOWED
        if answer.status < HTTPStatus.MULTIPLE_CHOICES or is_there:
            length = answer.headers.get(JSON_LENGTH, "")
            known = int(length) if length.isascii() and length.isdecimal() else 0
            return ServerReply(answer.content, answer.media_type, known)
        said = _reason(answer)
        if request.until_ready and answer.status in NOT_READY:
            raise SourceDelayed(f"{self._account.name} says that the model is not ready{said}")
        if answer.status in BUSY or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            text = f"{self._account.name} answers HTTP {answer.status}{said}"
            raise SourceDelayed(text, answer.pause_seconds)
        if answer.status in CURES:
            raise self._client.refusal(answer.status)
        raise ServerError(f"{self._account.name} refuses (HTTP {answer.status}{said})")


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """A thread that nobody waits for once its result is not wanted any more."""
    executor = ThreadPoolExecutor(1)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)


def _outcome(client: HttpClient, request: ServerRequest, largest: int) -> Response:
    headers = {"Content-Type": request.media_type} if request.content else {}
    if request.json_length:
        headers[JSON_LENGTH] = str(request.json_length)
    method = "POST" if request.content else "GET"
    began = time.monotonic()
    answer = client.ask(
        method,
        request.path,
        largest,
        expected=EVERY_STATUS,
        content=request.content or None,
        headers=headers,
    )
    seconds = time.monotonic() - began
    log.debug("%s %s: HTTP %d in %.1f s", method, request.path, answer.status, seconds)
    return answer


def _reason(answer: Response) -> str:
    """What the server says of its failure: {"error": ...} as KServe, {"detail": ...} as others."""
    try:
        told = json.loads(answer.content)
    except (ValueError, RecursionError):
        return ""
    text = told.get("error") or told.get("detail") if isinstance(told, dict) else ""
    return f": {printable(text[:LONGEST_REASON])}" if isinstance(text, str) and text else ""


def _rest(seconds: float, deadline: Deadline) -> None:
    """Wait so long, or until nobody waits for the answer any more."""
    if seconds > deadline.seconds_left:
        seconds = deadline.seconds_left
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, deadline.look_seconds))
        deadline.require()
