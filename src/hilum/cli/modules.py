"""Commands for modules: which are installed, and which may begin analyses."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    Models,
    app,
    out,
    print_json,
    say,
    site_and_records,
)
from hilum.cli.pausing import PauseReason, begin, end
from hilum.cli.tables import add_row, print_table
from hilum.errors import HilumError
from hilum.records.states import PausedKind

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.hosts.place import Place
    from hilum.module.takes import Takes

modules = typer.Typer(
    help="List the installed modules, their versions and the hashes of their weights.",
    invoke_without_command=True,
)
app.add_typer(modules, name="modules")

ModuleName = Annotated[str, typer.Argument(help="Name, as `hilum modules` lists it.")]


@modules.callback()
def list_modules(
    context: typer.Context,
    models: Models = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    if context.invoked_subcommand:
        return
    from hilum.hosts.discovery import discover, installed_modules
    from hilum.hosts.walls import in_words, standing
    from hilum.module import facts_of
    from hilum.module.takes import taken_by

    place = _place(models, config)
    found, problems = discover(place, anew=True)
    for name in found.keys() - installed_modules(replace(place, models=None)).keys():
        try:
            found[name]()  # the card alone does not say whether its network is what it describes
        except HilumError as error:
            problems[name] = str(error)
            del found[name]
    takes = {name: taken_by(module) for name, module in found.items()}
    facts = [{**vars(facts_of(one)), **_as_values(takes[name])} for name, one in found.items()]
    for name, problem in problems.items():
        say.print(f"[bold red]{name}[/]: {escape(problem)}")
    if as_json:
        print_json(facts)
        return
    table = Table("module", "version", "title", "weights SHA-256", box=None)
    for fact in facts:
        add_row(table, fact["name"], fact["version"], fact["title"], fact["weights_sha256"])
    print_table(table)
    for name, each in takes.items():
        _say(name, each)
    out.print(in_words(standing()))


def _as_values(takes: "Takes") -> dict[str, object]:
    return {
        "inputs": {name: dict(words) for name, words in takes.inputs.items()},
        "parameters": takes.parameters,
    }


def _say(name: str, takes: "Takes") -> None:
    """What a module takes, a line for each of its inputs and parameters."""
    out.print(f"[bold]{escape(name)}[/] takes")
    for input, words in takes.inputs.items():
        said = "; ".join(f"{what}: {limit}" for what, limit in words)
        out.print(escape(f"  input {input}. {said}"), soft_wrap=True)
    for parameter, said in takes.parameters.items():
        out.print(escape(f"  parameter {parameter}: {said}"), soft_wrap=True)


def _place(models: Path | None, config: Path) -> "Place":
    """That of the settings; there may be none, as before `init`. `models` take the place of its."""
    from hilum.config import load
    from hilum.hosts.place import Place

    is_there = config.exists() or config != DEFAULT_CONFIG
    place = Place.of(load(config)) if is_there else Place()
    return replace(place, models=models or place.models)


@modules.command()
def disable(name: ModuleName, reason: PauseReason, config: Config = DEFAULT_CONFIG) -> None:
    """Begin no analysis by a module. What it is to analyse waits until `hilum modules enable`."""
    site, records = site_and_records(config)
    _require(site, name)
    begin(site, records, PausedKind.MODULE, name, reason)


@modules.command()
def enable(name: ModuleName, config: Config = DEFAULT_CONFIG) -> None:
    """Let a module that was disabled go on; what waited for it is analysed."""
    site, records = site_and_records(config)
    end(site, records, PausedKind.MODULE, name)


def _require(site: "Site", name: str) -> None:
    """Fail unless a module with this name is installed, or a rule names it."""
    from hilum.hosts.discovery import installed_modules
    from hilum.hosts.place import Place
    from hilum.pausing import require_module

    named = {rule.module for rule in site.rule}
    if name not in named:
        require_module(name, installed_modules(Place.of(site)))
