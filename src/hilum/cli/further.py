"""Further commands: those of the laboratory, and of other packages, found by entry point.

An entry point of the group `hilum.commands` names a function as `typer` takes it; the command is
called as the entry point is.
"""

from importlib.metadata import EntryPoint

from rich.markup import escape

from hilum.cli.app import app, say
from hilum.cli.group import OURS
from hilum.kinds import registered

GROUP = "hilum.commands"
PANEL = "Further commands"  # their heading in --help


def register_all() -> None:
    """Register every further command, by name. One that does not load is named and left out."""
    taken = set(OURS)
    for entry in registered(GROUP):
        try:
            function = entry.load()
        except Exception as error:  # noqa: BLE001 - a plug-in: the other commands work without it
            if not _is_absent(entry, error):
                _leave_out(entry, f"{type(error).__name__}: {error}")
            continue
        if entry.name in taken:
            _leave_out(entry, "there is another command of that name")
        else:
            app.command(entry.name, rich_help_panel=PANEL)(function)
            taken.add(entry.name)


def _is_absent(entry: EntryPoint, error: Exception) -> bool:
    """Whether the package is simply not there, as the laboratory is not in every hospital."""
    package = entry.module.partition(".")[0]
    return isinstance(error, ModuleNotFoundError) and error.name == package


def _leave_out(entry: EntryPoint, reason: str) -> None:
    say.print(f"[bold]{escape(entry.name)} of {entry.value} is left out:[/] {escape(reason)}")


register_all()
