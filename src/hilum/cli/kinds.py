"""The command that shows what is registered: destinations, sources, result objects, hosts."""

from typing import Any

import typer
from rich.markup import escape

from hilum.cli.app import AsJson, app, out, print_json


@app.command()
def kinds(as_json: AsJson = False) -> None:
    """List every kind of destination, source, result object and host, and whose it is."""
    from hilum.kinds import EVERY_GROUP

    shown: list[dict[str, Any]] = [
        {"group": group.group, **kind._asdict()} for group in EVERY_GROUP for kind in group.each()
    ]
    if as_json:
        print_json(shown)
    else:
        for kind in shown:
            line = f"{kind['group']:<20} [bold]{kind['name']:<12}[/] of {kind['package']}"
            out.print(
                f"{line}  [bold red]{escape(kind['problem'])}[/]" if kind["problem"] else line
            )
    raise typer.Exit(1 if any(kind["problem"] for kind in shown) else 0)
