"""The commands by name. The file of a command is imported when that command is typed.

To import all of them takes as long as a short command may take as a whole.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup

from hilum.processes.process import lasting

# What each file of `hilum.cli` brings.
FILES = {
    "start": ("serve", "init", "test"),
    "check": ("check",),
    "files": ("run", "send", "echo"),
    "state": ("status", "quarantine", "sources", "destinations", "trace"),
    "finding": ("find",),
    "why": ("why",),
    "acts": ("release", "resend", "retry", "begin", "cancel", "withdraw"),
    "asks": ("rerun", "analyse", "send-on", "fetch"),
    "assess": ("assess",),
    "pausing": ("pause", "resume"),
    "modules": ("modules",),
    "environments": ("modules",),
    "new": ("new",),
    "patients": ("decide",),
    "backup": ("backup", "recover"),
    "export": ("export",),
    "audit": ("audit",),
    "certificates": ("certificates",),
    "people": ("people", "console"),
    "kinds": ("kinds",),
    "notify": ("notify",),
    "worklists": ("worklists",),
    "licences": ("licences", "sbom"),
}
# How --help lists them.
PANELS = {
    "Set up and try": ("init", "check", "serve", "console", "run", "send", "echo", "test"),
    "See how things stand": (
        *("status", "find", "trace", "why"),
        *("sources", "destinations", "worklists", "quarantine"),
    ),
    "Act on studies": (
        *("begin", "retry", "rerun", "analyse", "fetch", "decide", "release", "resend", "send-on"),
        *("cancel", "withdraw", "assess"),
    ),
    "Look after it": (
        *("pause", "resume", "notify", "people", "audit", "backup", "recover", "export"),
        *("certificates", "licences", "sbom"),
    ),
    "Extend it": ("modules", "new", "kinds"),
}
PANEL_OF = {name: title for title, names in PANELS.items() for name in names}
OURS = tuple(PANEL_OF)
OF_OTHERS = "further"  # the file that brings the commands of other packages


class Commands(TyperGroup):
    """All commands. The file of each is imported when somebody asks for it."""

    def get_params(self, ctx: Any) -> Any:
        """The options of `hilum` itself."""
        return _said_plainly(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, None if there is none."""
        if cmd_name not in self.commands:
            brought = [file for file, names in FILES.items() if cmd_name in names]
            self._import(brought or [OF_OTHERS])
        if found := super().get_command(ctx, cmd_name):
            _say_plainly(found, ctx)
        return found

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of --help."""
        self._import([*FILES, OF_OTHERS])
        return [*OURS, *(name for name in self.commands if name not in OURS)]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begin with; for one that is misspelt, the nearest is named."""
        if self.get_command(ctx, args[0]) is None:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what is wrong with its words is said in ours, not in a library's."""
        try:
            return super().invoke(ctx)
        except BadParameter as wrong:
            if cause := wrong.__cause__:
                from hilum.wrong_values import reasons_of

                wrong.message = reasons_of(cause) or wrong.message
            raise

    def _import(self, files: Iterable[str]) -> None:
        import_files(files)
        from typer.main import get_group

        from hilum.cli.app import app

        brought: dict[str, Any] = dict(get_group(app).commands)
        for name, command in brought.items():
            command.rich_help_panel = PANEL_OF.get(name, command.rich_help_panel)
            self.commands[name] = command


TYPES = {  # what --help calls the types of Python; what is switched on takes no value
    "<bool>": "",
    "<str>": "<text>",
    "<list[str]>": "<text> ...",
    "<int>": "<number>",
    "<int range>": "<number>",
    "<float>": "<number>",
    "<float range>": "<number>",
    "<datetime>": "<date>",
    "<dir>": "<folder>",
    "<list[Path]>": "<path> ...",
}


def _say_plainly(command: Any, ctx: Any) -> None:
    """Have the help of a command, and of those below it, name types as people do."""
    _said_plainly(command.get_params(ctx))
    for inner in getattr(command, "commands", {}).values():
        _say_plainly(inner, ctx)


def _said_plainly(parameters: Any) -> Any:
    for one in parameters:
        one.display_type_rich = partial(_type_in_words, one.display_type)
    return parameters


def _type_in_words(of: Callable[[Any], str], ctx: Any) -> str:
    name = of(ctx)
    return TYPES.get(name, re.sub(r"^<list\[(.*)\]>$", r"<\1> ...", name))


def import_files(files: Iterable[str] = (*FILES, OF_OTHERS)) -> None:
    """Import files of `hilum.cli`, whose commands then are part of `hilum.cli.app`.

    Meanwhile nothing is looked through for garbage, since all of that lasts: looking takes a tenth
    of the time of a short command.
    """
    with lasting():
        for file in files:
            import_module(f"hilum.cli.{file}")
