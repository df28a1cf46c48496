"""The modules that are installed. Hilum's own are imported; all others are described behind walls.

They are registered under the entry point group `hilum.modules`, each by its name; each folder of
the site's models makes one more, named by its `card.toml`, of the module, or in the format, that
the card names.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import EntryPoint
from pathlib import Path

from hilum.config.fields import JSONValues
from hilum.entry_points import points_of
from hilum.environments import InEnvironment
from hilum.environments.folders import folders_in
from hilum.errors import ConfigurationError, HilumError, MachineError, ModuleError
from hilum.hosts.described import asked, described, packages_installed
from hilum.hosts.judging import WalledJudge
from hilum.hosts.place import CHILD, Place
from hilum.kinds import FORMATS
from hilum.module import CARD, ENTRY_POINT_GROUP, Module, findings_for, parameters_of
from hilum.module.cards import card_values
from hilum.module.composition import circle
from hilum.module.description import DescribedModule, Description, stand_in
from hilum.module.origin import CodeOrigin
from hilum.module.parameters import require_known

NOWHERE = Place()


def installed_module(name: str, place: Place = NOWHERE) -> type[Module]:
    """The class of the module called `name`, or what stands for it; no other one is looked at.

    Raises
    ------
    KeyError
        There is no module of this name, or it does not load.
    MachineError
        It cannot be asked just now.
    """
    origin = _origins(place.models)[0][name]
    try:
        return _module(name, origin, place)
    except MachineError:
        raise
    except HilumError as error:
        raise KeyError(name) from error


def required_module(name: str, place: Place) -> type[Module]:
    """As `installed_module`; `ModuleError` that says why there is none any more."""
    return required_code(name, place)[0]


def required_code(name: str, place: Place) -> tuple[type[Module], CodeOrigin]:
    """As `required_module`, and where its code comes from."""
    try:
        origin = _origins(place.models)[0][name]
    except KeyError as error:
        raise ModuleError(f"there is no module {name!r} any more") from error
    try:
        return _module(name, origin, place), origin
    except MachineError:
        raise
    except HilumError as error:
        raise ModuleError(f"module {name!r} cannot be used: {error}") from error


def installed_modules(place: Place = NOWHERE) -> dict[str, type[Module]]:
    """The modules that load, by name, as `discover`."""
    return discover(place)[0]


def discover(
    place: Place = NOWHERE, only: Collection[str] | None = None, *, anew: bool = False
) -> tuple[dict[str, type[Module]], dict[str, str]]:
    """The modules that load, and for each that does not, why; one never stops another.

    With `only`, no other one is looked at. `anew`: those that had a problem are asked again.
    """
    origins, problems = _origins(place.models)
    packages = cache(packages_installed)  # the same for all of them
    found: dict[str, type[Module]] = {}
    for name, origin in origins.items():
        if only is not None and name not in only:
            continue
        try:
            found[name] = _module(name, origin, place, packages, anew=anew)
        except HilumError as error:
            problems[name] = str(error)
    while waiting := circle({n: findings_for(one).values() for n, one in found.items()}):
        for name in set(waiting) & set(found):
            problems[name] = f"modules wait for each other's findings: {', '.join(waiting)}"
            del found[name]
    return found, problems


def known_modules(place: Place) -> tuple[str, ...]:
    """The name of every module that is installed, whether it loads or not."""
    return tuple(sorted(_origins(place.models)[0]))


def require_parameters(module: type[Module], given: JSONValues, place: Place) -> None:
    """Raise `ConfigurationError` for parameters that the runs of `module` cannot have.

    Only its code knows whether a value can be one, so it is asked behind the walls.
    """
    if not issubclass(module, DescribedModule):
        parameters_of(module, given)
        return
    declared = module.described.parameters
    require_known(given, declared or {})
    if declared is not None:
        asked(module.name, module.origin, place, dict(given))


def _module(
    name: str,
    origin: CodeOrigin,
    place: Place,
    packages: Callable[[], str] = packages_installed,
    *,
    anew: bool = False,
) -> type[Module]:
    """The class that `origin` names, or what stands for it; raises `HilumError`."""
    judge = partial(WalledJudge, name, origin, place)
    told = described(name, origin, place, packages, anew=anew) if origin.foreign else None
    if told and not _works_with_its_host(origin, told):
        module: type[Module] = stand_in(told, origin, judge)
        findings_for(module)
    else:
        module = origin.load()
        if issubclass(module, InEnvironment):
            module = module.with_judges(judge)
    if module.name != name:
        raise ConfigurationError(
            f"{origin.target} calls itself {module.name!r}, and its entry point or card calls it"
            f" {name!r}: give both one name"
        )
    return module


def _works_with_its_host(origin: CodeOrigin, told: Description) -> bool:
    """Whether a host needs the class itself: it is of a format, which another kind of host runs."""
    is_of_format = origin.folder is not None and origin.target in FORMATS.targets.values()
    return is_of_format and told.host != CHILD


def _origins(models: Path | None) -> tuple[dict[str, CodeOrigin], dict[str, str]]:
    """Where the code of each module comes from, and the problem of each that has none."""
    found: dict[str, CodeOrigin] = {}
    problems: dict[str, str] = {}
    listed = _points()
    points = {point.name: CodeOrigin.of(point.value) for point in listed}
    for point in listed:
        if points[point.name].target != point.value:
            problems[f"{point.name} ({point.value})"] = "left out: there is a module of that name"
    found |= points
    for folder in folders_in(models) if models else ():
        if not (folder / CARD).is_file():
            continue
        try:
            name, origin = _with_model(folder, points)
            if name in found:
                text = f"{folder / CARD}: there is a module {name!r} already"
                raise ConfigurationError(text)
        except ConfigurationError as error:
            problems[folder.name] = str(error)
        else:
            found[name] = origin
    return found, problems


def _points() -> list[EntryPoint]:
    """Every entry point; where packages use one name, the last one counts, which is ours."""
    points = points_of(ENTRY_POINT_GROUP)
    return sorted(points, key=lambda p: (p.name, not CodeOrigin.of(p.value).foreign, p.value))


def _with_model(folder: Path, points: Mapping[str, CodeOrigin]) -> tuple[str, CodeOrigin]:
    """The module whose model lies in `folder`, by the name that its card gives it."""
    card = card_values(folder)
    base, name = str(card.get("module")), card.get("name")
    if base in FORMATS.names:
        origin = replace(CodeOrigin.of(FORMATS.targets[base]), folder=folder)
    elif base in points:
        origin = replace(points[base], folder=folder)
    else:
        known = ", ".join(sorted({*points, *FORMATS.names}))
        raise ConfigurationError(
            f"{folder / CARD}: module is {base!r}, which takes no model of yours; known: {known}"
        )
    return name if isinstance(name, str) and name else folder.name, origin
