"""The command line: a command reads its arguments, calls one function, shows the result."""

import gc
import sys

from rich.markup import escape

from hilum.cli import (  # noqa: F401 - in the order of --help
    loading,
    start,
    check,
    files,
    state,
    finding,
    why,
    acts,
    asks,
    assess,
    pausing,
    modules,
    environments,
    new,
    patients,
    backup,
    export,
    audit,
    certificates,
    people,
    kinds,
    notify,
    worklists,
    licences,
    further,
)
from hilum.cli.app import app, say
from hilum.cli.audited import put_on_record
from hilum.errors import HilumError
from hilum.process import keep_private

__all__ = ["app", "main"]

put_on_record(people.people, "add", "remove", "disable", "role", "password")
put_on_record(people.tokens, "add", "remove")
put_on_record(app, "console")
gc.enable()


def main() -> None:
    """Run the command line. An error that we can explain is one line, not a traceback."""
    keep_private()
    gc.freeze()  # what was imported lasts
    try:
        app(prog_name="hilum")
    except HilumError as error:
        problem = str(error)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        problem = named or str(error) or type(error).__name__
    say.print(f"[bold red]error:[/] {escape(problem)}")
    sys.exit(1)
