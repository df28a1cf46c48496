"""The command that tries whether alarms reach who is to be told."""

import socket
import time
import uuid
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, out, print_json
from hilum.errors import ConfigurationError, HilumError, NotificationError
from hilum.severity import AlarmChange, Severity

if TYPE_CHECKING:
    from hilum.config.kinds import NotifierSettings
    from hilum.notifiers import AlarmMessage

TRIAL = "This is a message on trial: nothing is wrong."


def _on_trial() -> "AlarmMessage":
    """A message that an alarm has begun which is none."""
    from hilum.notifiers import AlarmMessage, AlarmNews

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


def _tell(settings: "NotifierSettings", message: "AlarmMessage") -> tuple[bool, str]:
    """Whether it was told, and what it answered."""
    from hilum.notifiers import open_notifier

    try:
        settings.check()
        open_notifier(settings).send(message)
    except (ConfigurationError, NotificationError) as error:
        return False, str(error)
    return True, "has taken a message"


@app.command()
def notify(
    name: Annotated[str, typer.Argument(help="Name of one notifier; without it, all.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send a message on trial to those who are told of alarms, and say whether it arrived."""
    from hilum.config import load

    chosen = [settings for settings in load(config).notify if name in ("", settings.name)]
    if not chosen:
        what = f"called {name!r}" if name else "at all"
        raise HilumError(f"{config} defines no [[notify]] {what}: add one to have alarms told")
    message = _on_trial()
    outcomes = []
    for settings in chosen:
        told, answer = _tell(settings, message)
        about = {"name": settings.name, "kind": settings.kind}
        outcomes.append({**about, "told": told, "answer": answer})
        if not as_json:
            out.print(f"notifier {settings.name} ({settings.kind})")
            out.print(f"  {escape(answer)}", style=None if told else "bold red")
    if as_json:
        print_json(outcomes)
    raise typer.Exit(int(not all(outcome["told"] for outcome in outcomes)))
