"""Who is told of alarms. A notifier sends one message about what has begun and ended.

Each kind is one file beside this one, or in another package: its settings and its class, found by
an entry point of the group `hilum.notifiers` (see `hilum.kinds`).
"""

import ssl
from dataclasses import dataclass
from typing import Protocol

from hilum.config.kinds import NotifierSettings
from hilum.errors import ConfigurationError, NotificationError
from hilum.kinds import NOTIFIERS
from hilum.severity import AlarmChange, Severity


@dataclass(frozen=True)
class AlarmNews:
    """An alarm that has begun, still stands, or has ended. Times are in s since 1970.

    `studies` is how many it is about; `study_uids` names them where the settings ask for that.
    """

    id: str  # of this change: the same whenever it is told
    alarm: str
    severity: Severity
    change: AlarmChange
    at: float
    since: float
    text: str
    cure: str
    studies: int = 0
    study_uids: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self.change is AlarmChange.ENDED


@dataclass(frozen=True)
class AlarmMessage:
    """What is told at once. `id` is the same when it is told again, as after a crash."""

    id: str
    at: float
    news: tuple[AlarmNews, ...]
    sender: str  # the host that Hilum runs on


class Notifier(Protocol):
    """What a kind of notifier does, opened with the settings of its own class `settings`.

    What is slow to import belongs into the methods: whoever reads hilum.toml reads the file.
    """

    def send(self, message: AlarmMessage) -> None:
        """Tell a message within `timeout_seconds`, or raise `NotificationError` with the cure.

        The text of the error is ours: it holds nothing that another program has said.
        """


def encryption_of(settings: NotifierSettings) -> ssl.SSLContext:
    """Whom an encrypted connection trusts, and our certificate.

    Raises
    ------
    NotificationError
        A file of `tls` was changed since the start, and cannot be used.
    """
    from hilum.transport.tls import client_context

    try:
        return client_context(settings.tls)
    except ConfigurationError as error:
        raise NotificationError(f"{settings.name}: {error}") from error


def open_notifier(settings: NotifierSettings) -> Notifier:
    """The notifier that `settings` describe."""
    notifier: Notifier = NOTIFIERS.load(settings.kind)(settings)
    return notifier
