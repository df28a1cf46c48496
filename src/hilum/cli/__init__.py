"""The command line: a command reads its arguments, calls one function, shows the result."""

import gc
import sys
from pathlib import Path

from rich.markup import escape

from hilum.cli.app import app, say
from hilum.errors import HilumError
from hilum.logs import speak_alone
from hilum.privacy import denied
from hilum.processes.process import keep_private

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
        said = denied(error, Path(error.filename)) if error.filename else error.strerror
        named = f"{error.filename}: {said}" if error.filename else said
        problem = named or str(error) or type(error).__name__
    finally:
        gc.freeze()  # what is left ends with us: to look for garbage in it takes its time
    say.print(f"[bold red]error:[/] {escape(problem)}")
    sys.exit(1)
