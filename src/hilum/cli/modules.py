"""Commands for modules: which are installed, and which may begin analyses."""

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
from hilum.cli.tables import print_table
from hilum.errors import HilumError
from hilum.records.states import PausedKind

if TYPE_CHECKING:
    from hilum.config.site import Site

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
    from hilum.hosts.walls import in_words, standing
    from hilum.module import discover, facts_of, installed_modules

    found, problems = discover(models or _models_of_site(config))
    for name in found.keys() - installed_modules().keys():
        try:
            found[name]()  # the card alone does not say whether its network is what it describes
        except HilumError as error:
            problems[name] = str(error)
            del found[name]
    facts = [vars(facts_of(module)) for module in found.values()]
    if as_json:
        print_json(facts)
        return
    table = Table("module", "version", "title", "weights SHA-256", box=None)
    for fact in facts:
        table.add_row(fact["name"], fact["version"], fact["title"], fact["weights_sha256"])
    print_table(table)
    out.print(in_words(standing()))
    for name, problem in problems.items():
        say.print(f"[bold red]{name}[/]: {escape(problem)}")


def _models_of_site(config: Path) -> Path | None:
    """The folder `models` of the settings; none where there are no settings, as before `init`."""
    from hilum.config import load

    return load(config).models if config.exists() or config != DEFAULT_CONFIG else None


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
    from hilum.module import installed_modules
    from hilum.pausing import require_module

    named = {rule.module for rule in site.rule}
    if name not in named:
        require_module(name, installed_modules(site.models))
