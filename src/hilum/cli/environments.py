"""Commands for modules in environments of their own: to add and to remove one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.app import DEFAULT_CONFIG, Config, Models, say
from hilum.cli.modules import ModuleName, modules
from hilum.errors import ConfigurationError, HilumError

Python = Annotated[
    str | None,
    typer.Option("--python", help="Interpreter for it, by path or version; ours without it."),
]
Wheels = Annotated[
    Path | None,
    typer.Option("--wheels", help="Where everything comes from.", file_okay=False),
]
Called = Annotated[str | None, typer.Option("--name", help="What the module is called here.")]
Replace = Annotated[bool, typer.Option("--replace", help="In place of the one with its name.")]


@modules.command()
def add(
    source: Annotated[str, typer.Argument(help="Folder of code or of a model, wheel, or package.")],
    python: Python = None,
    wheels: Wheels = None,
    name: Called = None,
    replace: Replace = False,
    models: Models = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Install a module into an environment of its own, beside Hilum and all others."""
    from hilum.installing import Wanted, add

    if wheels and not wheels.is_dir():
        raise ConfigurationError(f"{wheels} is no folder: name the one that holds the wheels")
    folder = _folder(models, config)
    with _on_record(config, name or source, f"added, from {source}"):
        card = add(Wanted(source, python, wheels, name, replace), folder)
    say.print(
        f"added {card.name}: {card.package} with {card.python}. Name it in a rule of hilum.toml;"
        " a running `hilum serve` sees it after a restart"
    )
    for structure in card.structures:
        say.print(f"  {structure}", highlight=False)


@modules.command()
def remove(name: ModuleName, models: Models = None, config: Config = DEFAULT_CONFIG) -> None:
    """Remove a module that has an environment of its own."""
    from hilum.config import load
    from hilum.installing import remove

    if models is None and name in {rule.module for rule in load(config).rule}:
        raise HilumError(f"a rule of {config} names {name}: remove that rule first")
    folder = _folder(models, config)
    with _on_record(config, name, "removed"):
        remove(name, folder)
    say.print(f"removed {name}")


@contextmanager
def _on_record(config: Path, name: str, what: str) -> Iterator[None]:
    """What is inside is done only if it is in the audit trail of the site.

    A folder of modules that is named without the settings of a site belongs to none.
    """
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.config import load
    from hilum.privacy import make_private

    if not config.exists():
        yield
        return
    site = load(config)
    make_private(site.data)  # a module may be added before Hilum ran for the first time
    about = AuditedObject(ObjectType.MODULE, name)
    with audited(site, AuditedAct.SETTINGS_CHANGED, about, what):
        yield


def _folder(models: Path | None, config: Path) -> Path:
    """Where the environments lie: with the models of the site."""
    from hilum.config import load

    folder = models or load(config).models
    if folder is None:
        raise ConfigurationError(
            f'{config} names no folder for modules: make one, and set models = "models"'
        )
    return folder
