"""Commands that write something to start from."""

import shlex
import sys
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import app, say

NEEDED = ("pytest", "uv")

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
    say.print(escape(f"wrote {made}. What to do next:"))
    for command in next_steps(made, {one for one in NEEDED if find_spec(one) is None}):
        say.print(escape(f"  {command}"))


def next_steps(made: Path, missing: Collection[str]) -> Iterator[str]:
    """The commands that test and add a module in the folder `made`, with what is `missing` first.

    Hilum itself needs neither pytest nor uv.
    """
    from hilum.installing.uv import VERSION

    here = shlex.quote(str(made))
    if "pytest" in missing:
        yield f"{sys.executable} -m pip install pytest"
    yield f"{sys.executable} -m pytest {here}"
    if "uv" in missing:
        yield f"{sys.executable} -m pip install uv=={VERSION}"
    yield f'hilum modules add {here}    (in hilum.toml, `models = "models"` names a folder for it)'
