"""Commands that write something to start from."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.app import app, say

new = typer.Typer(help="Write something to start from.", no_args_is_help=True)
app.add_typer(new, name="new")


@new.callback()
def something() -> None:
    """One of the words below says what; with a single one, typer would leave it out."""


@new.command()
def module(
    name: Annotated[str, typer.Argument(help="Name of the module, such as brain-volume.")],
    folder: Annotated[
        Path, typer.Option("--folder", help="Where its folder is made.", file_okay=False)
    ] = Path(),
) -> None:
    """Write the package of a module that works, with its test."""
    from hilum.installing.skeleton import write_skeleton

    made = write_skeleton(name, folder)
    say.print(
        f"wrote {made}. Test it: {sys.executable} -m pytest {made}\n"
        f"Then add it: hilum modules add {made}"
    )
