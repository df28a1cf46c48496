"""The commands of the laboratory, which `hilum` finds by the entry points of `hilum.commands`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.app import AsJson
from hilum.errors import MissingPartError
from hilum.process import fork_server
from hilum.service.roles import PROCESSES


def demo(
    once: Annotated[bool, typer.Option(help="Stop after the result is verified.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with a line of JSON.")] = False,
    exam: Annotated[Path | None, typer.Option(help="Send this folder of DICOM files.")] = None,
) -> None:
    """Start a clinical network, put a brain MR exam and a chest film through it."""
    fork_server(PROCESSES)  # it imports beside us
    from hilum_lab.demo import Demo

    raise typer.Exit(Demo(exam=exam, once=once, as_json=as_json).run())


def chaos(
    faults: Annotated[
        list[str] | None, typer.Argument(help="Words in the names of faults.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only faults of the test suite.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Send every series of a study.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name every fault; inject none.")] = False,
    exam: Annotated[list[Path] | None, typer.Option(help="Copy the study in this folder.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Folder for logs and traces.")] = None,
    as_json: AsJson = False,
) -> None:
    """Break a clinical network in many ways; count what is lost or sent twice."""
    from hilum_lab.chaos import command

    if listed:
        command.list_faults()
        return
    wanted = command.chosen(faults or [], quick)
    raise typer.Exit(command.chaos(wanted, exam or [], whole, as_json, markdown, logs))


def odd_input(
    out: Annotated[Path | None, typer.Option("--out", help="File for the table.")] = None,
    only: Annotated[
        str, typer.Option("--only", help="Only cases whose title holds these words.")
    ] = "",
) -> None:
    """Give odd input to `hilum run` and judge what a module received of it."""
    if find_spec("SimpleITK") is None:
        raise MissingPartError(
            "SimpleITK, which reads the cases independently of Hilum, is not installed; "
            "`./hilum odd-input` in the source tree installs it"
        )
    from hilum_lab.odd_input import command

    raise typer.Exit(command.odd_input(out, only))


def archives(
    out: Annotated[Path | None, typer.Option("--out", help="File for the table.")] = None,
    only: Annotated[
        str, typer.Option("--only", help="Only archives whose title holds these words.")
    ] = "",
) -> None:
    """Deliver to odd archives, as hospitals have them, and apply the cures that are printed."""
    from hilum_lab.odd_archives import command

    raise typer.Exit(command.archives(out, only))
