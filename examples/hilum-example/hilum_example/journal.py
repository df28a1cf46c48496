"""A notifier: a line for each alarm in a file that another program follows."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from hilum.config.kinds import NotifierSettings
from hilum.errors import NotificationError
from hilum.notifiers import AlarmMessage


class JournalNotifierSettings(NotifierSettings):
    """A file that grows by a line for each alarm that begins or ends."""

    kind: Literal["journal"] = Field("journal", description="A file that a program follows.")
    file: Path = Field(description="The file, which is made if needed.", examples=["alarms.txt"])


class JournalNotifier:
    """Appends to that file."""

    settings = JournalNotifierSettings

    def __init__(self, settings: JournalNotifierSettings) -> None:
        self._file = settings.file

    def send(self, message: AlarmMessage) -> None:
        lines = [
            f"{message.id} {news.severity} {news.alarm} {'over' if news.has_ended else news.text}\n"
            for news in message.news
        ]
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise NotificationError(f"{self._file}: {error.strerror}") from error
