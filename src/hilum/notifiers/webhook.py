"""Tell alarms to a program, by HTTP, signed as Standard Webhooks says.

The specification stands at https://github.com/standard-webhooks/standard-webhooks, version 1.0.0.
"""

import base64
import hashlib
import hmac
import json
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hilum.config.fields import WebAddress
from hilum.config.kinds import NotifierSettings
from hilum.errors import RESTART, ConfigurationError, NotificationError
from hilum.notifiers import AlarmMessage, AlarmNews, encryption_of
from hilum.privacy import secret_in

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)  # as the specification wants it
TYPE = "alarms.changed"


class WebhookNotifierSettings(NotifierSettings):
    """A program that takes messages by HTTP."""

    kind: Literal["webhook"] = Field("webhook", description="A program is told by HTTP POST.")
    url: WebAddress = Field(
        description="Address that messages are sent to.", examples=["https://ops.hospital/hilum"]
    )
    secret_file: Path = Field(
        description="File holding the secret that messages are signed with, whsec_ and base64.",
        examples=["webhook.secret"],
    )

    def check(self) -> None:
        super().check()
        self.secret()

    def secret(self) -> bytes:
        """The key in the file.

        Raises
        ------
        ConfigurationError
            The file cannot be used; the text says the cure.
        """
        try:
            text = secret_in(self.secret_file) if self.secret_file.exists() else ""
        except ConfigurationError as error:
            raise ConfigurationError(f"notify {self.name}: secret_file: {error}") from error
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except ValueError:
            key = b""
        if not text.startswith(PREFIX) or len(key) not in SECRET_BYTES:
            raise ConfigurationError(
                f"notify {self.name}: secret_file: {self.secret_file} holds no secret of Standard "
                f"Webhooks, {PREFIX} and 24 to 64 bytes in base64: write one with "
                f"`{how_to_make(self.secret_file)}`, and give it to who receives the messages"
            )
        return key


def how_to_make(file: Path) -> str:
    """The command that writes a new secret into `file`, which nobody else may read."""
    make = f"printf '{PREFIX}%s\\n' \"$(head -c 32 /dev/urandom | base64)\""
    return f"(umask 077; {make} > {shlex.quote(str(file))})"


class WebhookNotifier:
    """Sends one signed POST for each message."""

    settings = WebhookNotifierSettings

    def __init__(
        self, settings: WebhookNotifierSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock

    def send(self, message: AlarmMessage) -> None:
        import httpx

        from hilum.transport.web_faults import fault_in

        name = self._settings.name
        try:
            headers = signed(self._settings.secret(), message.id, self._clock(), body_of(message))
        except ConfigurationError as error:  # the file was changed since the start
            raise NotificationError(str(error)) from error
        try:
            with (
                httpx.Client(
                    timeout=self._settings.timeout_seconds,
                    verify=encryption_of(self._settings),
                    trust_env=False,  # no proxy of the environment: what holds stands in hilum.toml
                ) as client,
                # what else it answers is not read: there may be no end of it
                client.stream(
                    "POST", self._settings.url, content=body_of(message), headers=headers
                ) as answer,
            ):
                pass
        except httpx.HTTPError as error:
            why = fault_in(error) or f"cannot be reached ({type(error).__name__})"
            raise NotificationError(f"{name}: {why}") from error
        if not answer.is_success:
            cure = f"look into the log of who receives it, or correct url, {RESTART}"
            raise NotificationError(f"{name}: HTTP {answer.status_code}: {cure}")


def signed(key: bytes, message_id: str, at: float, body: bytes) -> dict[str, str]:
    """The headers of a message, with its signature of version v1 (HMAC-SHA256)."""
    moment = str(int(at))
    content = b".".join((message_id.encode(), moment.encode(), body))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{signature}",
    }


def body_of(message: AlarmMessage) -> bytes:
    """The message as JSON; the same bytes whenever it is sent."""
    alarms = [_as_json(news) for news in message.news]
    data = {"sender": message.sender, "alarms": alarms}
    return json.dumps({"type": TYPE, "timestamp": _moment(message.at), "data": data}).encode()


def _as_json(news: AlarmNews) -> dict[str, Any]:
    named = {"study_uids": news.study_uids} if news.study_uids else {}
    return {
        "id": news.id,
        "alarm": news.alarm,
        "severity": news.severity,
        "change": news.change,
        "since": _moment(news.since),
        "at": _moment(news.at),
        "text": news.text,
        "cure": news.cure,
        "studies": news.studies,
        **named,
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
