"""What all commands share: the application, its options, and how things are printed."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hilum.cli.group import Commands
from hilum.errors import HilumError

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.records import Records

app = typer.Typer(
    cls=Commands,
    help="The AI gateway for the hospital imaging network. Research use only, not for diagnosis.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
say = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

Config = Annotated[Path, typer.Option("--config", "-c", help="Settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Models = Annotated[
    Path | None,
    typer.Option("--models", help="Folder of models of your own.", file_okay=False, exists=True),
]
StudyName = Annotated[
    str,
    typer.Argument(help="Address, accession number, or Study Instance UID, or the end of a UID."),
]
DEFAULT_CONFIG = Path("hilum.toml")


@app.callback()
def hilum(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        out.print(version_of("hilum"))
        raise typer.Exit


def site_and_records(config: Path) -> "tuple[Site, Records]":
    """The settings and the records of a site where Hilum has run."""
    from hilum.config import load
    from hilum.records import PATIENCE_OF_COMMANDS, Records, records_url
    from hilum.records.soundness import require_present

    site = load(config)
    require_present(site)
    if not is_recorded(site):
        raise HilumError(f"{site.data} holds no records yet; `hilum serve` makes them")
    return site, Records(records_url(site), PATIENCE_OF_COMMANDS)


def is_recorded(site: "Site") -> bool:
    """Whether there are records of this site."""
    from hilum.config.site import RECORDS

    return bool(site.database) or (site.data / RECORDS).exists()


def records_if_any(site: "Site") -> "Records":
    """The records of a site, or empty ones where it never ran."""
    from hilum.records import PATIENCE_OF_COMMANDS, Records, records_url
    from hilum.records.soundness import require_present

    require_present(site)
    return Records(records_url(site) if is_recorded(site) else "sqlite://", PATIENCE_OF_COMMANDS)


def clock(at: float) -> str:
    return time.strftime("%F %T", time.localtime(at))


def print_json(value: object) -> None:
    """Print `value`; dataclasses and enums in it become plain values."""
    from pydantic_core import to_json

    sys.stdout.write(to_json(value).decode() + "\n")
