"""The modules that are installed, found by entry point. Third-party and built-in ones are equal."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hilum.errors import ConfigurationError
from hilum.kinds import FORMATS
from hilum.module.cards import CARD, card_values
from hilum.module.composition import circle
from hilum.module.protocol import MEMBERS, Module, findings_for

ENTRY_POINT_GROUP = "hilum.modules"


def installed_module(name: str, models: Path | None = None) -> type[Module]:
    """The module class called `name`, as quickly as can be: where its entry point has that name,
    no other is loaded.

    Raises
    ------
    KeyError
        None of those that load has this name.
    """
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        module = _loaded(point)
        if not isinstance(module, str) and module.name == name:
            return module
    return installed_modules(models)[name]


def installed_modules(models: Path | None = None) -> dict[str, type[Module]]:
    """The module classes that load, by name, as `discover`."""
    return discover(models)[0]


def discover(models: Path | None = None) -> tuple[dict[str, type[Module]], dict[str, str]]:
    """The module classes that load, and for each that does not, why; one never stops another.

    They are registered under the entry point group `hilum.modules`; each folder in `models` makes
    one more, named by its `card.toml`, of the module, or in the format, that the card names.
    """
    found: dict[str, type[Module]] = {}
    problems: dict[str, str] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        module = _loaded(point)
        if isinstance(module, str):
            problems[point.name] = module
        else:
            found[module.name] = module
    for folder in sorted(models.iterdir()) if models else ():
        if not (folder / CARD).is_file():
            continue
        try:
            module = _with_model(folder, found)
        except Exception as error:  # noqa: BLE001 - whatever lies in a folder, the others work
            named = isinstance(error, ConfigurationError)
            problems[folder.name] = str(error) if named else f"{folder}: {type(error).__name__}"
        else:
            found[module.name] = module
    while waiting := circle({n: findings_for(one).values() for n, one in found.items()}):
        for name in set(waiting) & set(found):
            problems[name] = f"modules wait for each other's findings: {', '.join(waiting)}"
            del found[name]
    return found, problems


def _loaded(point: EntryPoint) -> type[Module] | str:
    """The module class of an entry point, or why there is none."""
    try:
        module: type[Module] = point.load()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything while it loads
        return f"{point.value} does not load: {type(error).__name__}: {error}"
    missing = [member for member in MEMBERS if not hasattr(module, member)]
    if missing:
        return f"{point.value} has no {', '.join(missing)}"
    try:
        findings_for(module)
    except ConfigurationError as error:
        return f"{point.value}: {error}"
    return module


def _with_model(folder: Path, found: Mapping[str, type[Module]]) -> type[Module]:
    """The module that the card in `folder` names, with the model in that folder."""
    base = card_values(folder).get("module")
    takers = {name: module for name, module in found.items() if hasattr(module, "with_model")}
    if base in FORMATS.names:
        takers[base] = FORMATS.load(base)
    if base not in takers:
        raise ConfigurationError(
            f"{folder / CARD}: module is {base!r}, which takes no model of yours; these do:"
            f" {', '.join(sorted({*takers, *FORMATS.names}))}"
        )
    module: type[Module] = takers[base].with_model(folder)
    if module.name in found:
        raise ConfigurationError(f"{folder / CARD}: there is a module {module.name!r} already")
    return module
