"""The command line: a command reads its arguments, calls one function, shows the result."""

import gc
import sys

from rich.markup import escape

from hilum.cli.app import app, say
from hilum.errors import HilumError
from hilum.logs import speak_alone
from hilum.process import keep_private

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line. An error that we can explain is one line, not a traceback."""
    keep_private()
    speak_alone()
    try:
        app(prog_name="hilum")
    except HilumError as error:
        problem = str(error)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        problem = named or str(error) or type(error).__name__
    finally:
        gc.freeze()  # what is left ends with us: to look for garbage in it takes its time
    say.print(f"[bold red]error:[/] {escape(problem)}")
    sys.exit(1)
