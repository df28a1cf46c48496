"""Tell results to a program, by HTTP, signed as Standard Webhooks says.

What is answered shows that a message was accepted, and nothing shows that it is kept: nobody can
ask. A message is sent again with the same `webhook-id` and the same body.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hilum.answers import Acceptance, Answer, Checked, Evidence, Shown
from hilum.config.ends import WebService
from hilum.config.events import EventWishes
from hilum.config.fields import WebAddress
from hilum.config.kinds import DestinationSettings, ObjectName
from hilum.destinations import CALL_SECONDS, is_answered, tried
from hilum.errors import RESTART, ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.results import JSON, Result
from hilum.transport.signing import signed, signing_key
from hilum.transport.statuses import refused
from hilum.transport.web import EVERY_STATUS, Failures, HttpClient

FAILURES = Failures(DeliveryDelayed, DeliveryRefused, DeliveryRefused)
AGAIN = "then `hilum release`"
ITS_LOG = f"look into the log of who receives it, remove the cause, {AGAIN}"
CURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: f"it cannot read the message, or its signature: {ITS_LOG}",
    HTTPStatus.UNAUTHORIZED: "it does not know our signature or login: give it the secret in "
    f"secret_files, or correct the login, {AGAIN}",
    HTTPStatus.FORBIDDEN: f"it does not let us in: {ITS_LOG}",
    HTTPStatus.METHOD_NOT_ALLOWED: f"it takes no messages there: correct url, {RESTART}",
    HTTPStatus.GONE: "it wants no more messages: take this destination out of the rules and "
    f"routes, or correct url, {RESTART}",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"the result is too large: raise the limit there, {AGAIN}",
    HTTPStatus.UNPROCESSABLE_ENTITY: f"it cannot use the message: {ITS_LOG}",
}
PAGE = ("<!doctype html", "<html")  # programs may answer "ok" as text/html, and no whole page
WEB_PAGE = (
    f"it answers with a web page, so nothing shows that it takes messages: correct url, {RESTART}, "
    "or let whatever stands in front of it (a login page, a proxy) pass them on"
)
MOST_SECRETS = 4
LONGEST_COMMENT = 4096  # characters of what it answers


class WebhookDestinationSettings(EventWishes, WebService, DestinationSettings):
    """A program that takes results by HTTP POST."""

    shaping: ClassVar[tuple[str, ...]] = tuple(EventWishes.model_fields)
    in_order: ClassVar[bool] = True

    kind: Literal["webhook"] = Field("webhook", description="A program is told by HTTP POST.")
    proof: Literal["accepted"] = Field(
        "accepted",
        description="What shows that a result has arrived: nothing but that it was accepted.",
    )
    url: WebAddress = Field(
        description="Address that messages are sent to.", examples=["https://lake.hospital/hilum"]
    )
    objects: tuple[ObjectName, ...] = Field(
        ("json",), description="Result objects that this destination receives."
    )
    secret_files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=MOST_SECRETS)] = Field(
        description="Files holding the secrets that messages are signed with, whsec_ and base64: "
        "one, or the old and the new one while they are exchanged.",
        examples=[["webhook.secret"]],
    )

    def check(self) -> None:
        super().check()
        self.signing_keys()

    def signing_keys(self) -> list[bytes]:
        """The keys in the files; `ConfigurationError` with the cure if one cannot be used."""
        where = f"destination {self.name}: secret_files"
        return [signing_key(file, where) for file in self.secret_files]


class WebhookDestination:
    """Sends one signed POST for each result."""

    settings = WebhookDestinationSettings
    takes = (JSON,)

    def __init__(
        self, settings: WebhookDestinationSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock

    def is_reachable(self) -> bool:
        self._settings.secret()  # without it nothing is asked, so nobody has refused
        return is_answered(self._call)

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        with closing(self._client()) as peer:
            for result in results:
                yield from self._post(peer, result)

    def ask(self, results: Sequence[Result]) -> Shown:
        return Shown((), Evidence.NONE)

    def filing(self, study_uid: str) -> None:
        return None

    def check(self) -> Iterator[Checked]:
        yield tried("web-hook", self._call, "answers; no result was sent")

    def _call(self) -> None:
        """Ask for nothing: whatever it says to that, it is there."""
        patience = min(self._settings.timeout_seconds, CALL_SECONDS)
        with closing(self._client()) as peer:
            peer.ask("HEAD", "", expected=EVERY_STATUS, timeout=patience)

    def _client(self) -> HttpClient:
        return HttpClient(self._settings, FAILURES, CURES)

    def _post(self, peer: HttpClient, result: Result) -> Iterator[Answer]:
        """Send one message; where it is not taken, the error follows the answer."""
        content = result.path.read_bytes()
        try:
            keys = self._settings.signing_keys()
        except ConfigurationError as error:  # a file was changed since the start
            raise DeliveryRefused(str(error)) from error
        headers = signed(keys, result.identity, self._clock(), content)
        try:
            answer = peer.ask("POST", "", expected=EVERY_STATUS, content=content, headers=headers)
        except DeliveryDelayed as error:  # nobody knows whether it was taken
            yield Answer(result, Acceptance.UNKNOWN, text=str(error))
            raise
        said = answer.content.decode("utf-8", "replace")
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            if said.lstrip().lower().startswith(PAGE):
                yield Answer(result, Acceptance.UNKNOWN, text=WEB_PAGE)
                raise peer.refusal(WEB_PAGE)
            yield Answer(result, Acceptance.TAKEN)
            return
        yield from refused(peer, answer, [result], said[:LONGEST_COMMENT])
