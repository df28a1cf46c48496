"""The command line: a command reads its arguments, calls one function, shows the result."""

import sys

from rich.markup import escape

from hilum.cli import start, files, state, acts  # noqa: F401 - in the order of --help
from hilum.cli.app import app, say
from hilum.errors import HilumError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; errors we can explain are one line, not a traceback."""
    try:
        app(prog_name="hilum")
    except HilumError as error:
        problem = str(error)
    except OSError as error:
        problem = ": ".join(filter(None, (error.filename and str(error.filename), error.strerror)))
    except KeyboardInterrupt:
        sys.exit(130)
    say.print(f"[bold red]error:[/] {escape(problem)}")
    sys.exit(1)
