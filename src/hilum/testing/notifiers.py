"""The promises that every notifier must keep."""

from dataclasses import replace

from hilum.notifiers import AlarmMessage, AlarmNews, Notifier
from hilum.severity import AlarmChange, Severity

BEGAN = 1_800_000_000.0  # 2027-01-15 08:00 UTC


def a_message() -> AlarmMessage:
    """A message of an alarm that has begun, and of one that has ended."""
    news = AlarmNews(
        id="a1",
        alarm="destination pacs",
        severity=Severity.ERROR,
        change=AlarmChange.BEGAN,
        at=BEGAN + 300,
        since=BEGAN,
        text="destination pacs does not answer",
        cure="call it",
        studies=2,
    )
    disk = replace(
        news, id="a2", alarm="disk", severity=Severity.CRITICAL, change=AlarmChange.ENDED
    )
    over = replace(disk, text="0 MiB are free", cure="make room", studies=0)
    return AlarmMessage("msg_1", BEGAN + 300, (news, over), "host")


def check_notifier(notifier: Notifier) -> None:
    """Check that `notifier`, which can be reached, tells what it is given, without an error.

    It is given three messages. The last one is the second one again, as after a crash.
    """
    message = a_message()
    notifier.send(message)
    uids = ("1.2.840.1", "1.2.840.2")
    odd = replace(message.news[0], text="Zürich `x` <b> 日本\\n", study_uids=uids)
    repeated = replace(message, id="msg_2", news=(odd,))
    notifier.send(repeated)
    notifier.send(repeated)
