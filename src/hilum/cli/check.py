"""The command that checks settings before they are used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, out, print_json, say
from hilum.errors import ConfigurationError

if TYPE_CHECKING:
    from hilum.config.site import Site


@dataclass(frozen=True)
class CheckedPart:
    """One part of the settings; `problem` says what is wrong and what to do, or is ""."""

    part: str
    problem: str


@app.command()
def check(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the settings as `hilum serve` does, and all parts of them; nothing is started.

    Inference servers are asked whether they have the models. Whether archives answer is not
    asked: `hilum destinations` and `hilum sources` do that.
    """
    from hilum.checking import CHECKS, check_servers
    from hilum.config import load
    from hilum.hosts.discovery import discover
    from hilum.hosts.place import Place

    site = None
    try:
        site = load(config)
        checked = [CheckedPart("settings", "")]
    except ConfigurationError as error:
        checked = [CheckedPart("settings", str(error))]
    troubled: dict[str, str] = {}
    if site is not None:
        _, troubled = discover(Place.of(site), anew=True)
        checked += [_checked(part, look, site) for part, look in CHECKS.items()]
        if any(host.kind == "server" for host in site.host):
            checked.append(_checked("inference servers", check_servers, site))
    if as_json:
        print_json(checked)
    else:
        for one in checked:
            out.print(f"{one.part}: {escape(one.problem) or 'good'}", style=_style(one))
    for name, problem in troubled.items():  # what a rule needs of them is said above, too
        say.print(f"module {name} cannot be used: {escape(problem)}", style="yellow")
    raise typer.Exit(1 if any(one.problem for one in checked) else 0)


def _checked(part: str, look: Callable[["Site"], None], site: "Site") -> CheckedPart:
    try:
        look(site)
    except ConfigurationError as error:
        return CheckedPart(part, str(error))
    return CheckedPart(part, "")


def _style(one: CheckedPart) -> str | None:
    return "bold red" if one.problem else None
