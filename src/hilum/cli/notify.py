"""The command that tries whether alarms reach who is to be told."""

from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, out, print_json
from hilum.errors import HilumError


@app.command()
def notify(
    name: Annotated[str, typer.Argument(help="Name of one notifier; without it, all.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send a test message to those who are told of alarms, and say whether it arrived."""
    from hilum.alarms.trial import message_on_trial, tell
    from hilum.config import load

    chosen = [settings for settings in load(config).notify if name in ("", settings.name)]
    if not chosen:
        what = f"called {name!r}" if name else "at all"
        raise HilumError(f"{config} defines no [[notify]] {what}: add one to have alarms told")
    message = message_on_trial()
    outcomes = []
    for settings in chosen:
        told, answer = tell(settings, message)
        about = {"name": settings.name, "kind": settings.kind}
        outcomes.append({**about, "told": told, "answer": answer})
        if not as_json:
            out.print(f"notifier {settings.name} ({settings.kind})")
            out.print(f"  {escape(answer)}", style=None if told else "bold red")
    if as_json:
        print_json(outcomes)
    raise typer.Exit(int(not all(outcome["told"] for outcome in outcomes)))
