"""A test message, which shows whether alarms reach who is to be told."""

import socket
import time
import uuid

from hilum.config.kinds import NotifierSettings
from hilum.errors import ConfigurationError, NotificationError
from hilum.notifiers import AlarmMessage, AlarmNews, open_notifier
from hilum.severity import AlarmChange, Severity

TRIAL = "This is a test message: nothing is wrong."


def message_on_trial() -> AlarmMessage:
    """A message that an alarm has begun which is none."""
    now = time.time()
    news = AlarmNews(
        id=uuid.uuid4().hex,
        alarm="trial",
        severity=Severity.WARNING,
        change=AlarmChange.BEGAN,
        at=now,
        since=now,
        text=TRIAL,
        cure="nothing",
    )
    return AlarmMessage(f"msg_{uuid.uuid4().hex}", now, (news,), socket.gethostname())


def tell(settings: NotifierSettings, message: AlarmMessage) -> tuple[bool, str]:
    """Whether it was told, and what it answered."""
    try:
        settings.check()
        open_notifier(settings).send(message)
    except (ConfigurationError, NotificationError) as error:
        return False, str(error)
    return True, "has taken a message"
