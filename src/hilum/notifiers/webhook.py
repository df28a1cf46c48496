"""Tell alarms to a program, by HTTP, signed as Standard Webhooks says."""

import json
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
from hilum.transport.signing import signed, signing_key

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
        return signing_key(self.secret_file, f"notify {self.name}: secret_file")


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
            key = self._settings.secret()
            headers = signed([key], message.id, self._clock(), body_of(message))
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
