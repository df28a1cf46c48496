"""`hilum modules add` and `remove`: a module in an environment of its own, beside all others.

A new environment is made in a folder that nobody looks into, and gets its name when it is whole.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import ValidationError

from hilum.environments import KIND, LOCK, PACKAGES, Environment
from hilum.environments.folders import settle, take_name
from hilum.environments.recipe import MODEL, PLAN, recipe_of
from hilum.errors import ConfigurationError
from hilum.hosts.discovery import known_modules
from hilum.hosts.place import Place
from hilum.installing.describing import described
from hilum.installing.uv import InstallingError, Uv, interpreter
from hilum.installing.wheels import Project
from hilum.module import CARD, ENTRY_POINT_GROUP
from hilum.module.cards import ABOUT, in_words
from hilum.module.description import WRONG_WORDS

WHEELS = "wheels"


@dataclass(frozen=True)
class Wanted:
    """What is to be installed.

    `source` is a folder, a wheel, or what pip would be asked for. `python` is an interpreter or a
    version, None for ours; `wheels` a folder that everything comes from; `name` what the module is
    to be called here, None for its own name.
    """

    source: str
    python: str | None = None
    wheels: Path | None = None
    name: str | None = None
    replaces: bool = False


def add(wanted: Wanted, models: Path) -> Environment:
    """Install a module into an environment of its own, below the folder `models`.

    Raises
    ------
    ConfigurationError
        What is wanted cannot be installed as it is, or its name is taken; the text says the cure.
    InstallingError
        A package cannot be had, has another hash, or the module does not load.
    """
    if wanted.name:
        _place(wanted.name, models, wanted.replaces)  # before anything is fetched
    recipe = recipe_of(Path(wanted.source)) if Path(wanted.source).is_dir() else None
    if recipe:  # what is wrong with it is told before anything is fetched
        _ = recipe.structures, recipe.requirements
    python = interpreter(wanted.python)
    with _staging(models.resolve()) as staging:
        uv = Uv(python, wanted.wheels)
        requirements = staging / "requirements.in"
        (staging / WHEELS).mkdir()
        asked = _requirements(wanted.source, staging) if recipe is None else recipe.requirements
        lines = [*asked, _by_file(Project.ours().wheel(staging / WHEELS))]
        requirements.write_text("\n".join(lines) + "\n")
        uv.lock(requirements, staging / LOCK)
        uv.install(staging / LOCK, staging / PACKAGES)
        if recipe is None:
            package, target = _entry_point(staging / PACKAGES)
        else:
            recipe.write(staging)
            package, target = recipe.package, recipe.target
        about = described(python, staging, target)
        if page := about.pop("about", ""):
            _take_page(Path(page), staging)
        installed = {
            "name": wanted.name or about.get("name"),
            "package": package,
            "target": target,
            "python": python,
            "files_sha256": _digest(staging),
            "structures": () if recipe is None else recipe.structures,
        }
        try:
            card = Environment.model_validate({**about, **installed})
        except ValidationError as error:
            raise InstallingError(f"{WRONG_WORDS}: {in_words(error)}") from error
        place = _place(card.name, models, wanted.replaces)
        card.write(staging)
        _put(staging, place)
    return card


def remove(name: str, models: Path) -> None:
    """Remove the environment of the module called `name`; `ConfigurationError` if it has none."""
    folder = models / name
    settle(folder)
    if not _is_environment(folder):
        raise ConfigurationError(f"{models} holds no environment of a module {name!r}")
    gone = Path(tempfile.mkdtemp(prefix=".removed-", dir=models))
    folder.rename(gone / name)  # at once: half of one is never seen
    shutil.rmtree(gone)


@contextmanager
def _staging(models: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".adding-", dir=models))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _requirements(source: str, staging: Path) -> Iterator[str]:
    """The lines for uv. What lies here is named by its file: no index is asked for it."""
    wheels = staging / WHEELS
    path = Path(source)
    if path.is_dir():
        yield _by_file(Project.read(path.resolve()).wheel(wheels))
    elif path.suffix == ".whl" and path.is_file():
        yield _by_file(Path(shutil.copy(path, wheels)))
    elif path.is_file():
        raise ConfigurationError(
            f"{path} is no wheel: a source archive would run its author's code to be built. Unpack"
            " it and add the folder, or add a wheel of it"
        )
    else:
        try:
            yield str(Requirement(source))
        except InvalidRequirement as error:
            raise ConfigurationError(f"{source} is no folder, wheel or package: {error}") from error


def _by_file(wheel: Path) -> str:
    return f"{wheel.name.partition('-')[0].replace('_', '-')} @ {wheel.resolve().as_uri()}"


def _entry_point(packages: Path) -> tuple[str, str]:
    """The package that brings the module, with its version, and the class that it names."""
    found = {
        f"{package.name}=={package.version}": [
            point.value for point in package.entry_points if point.group == ENTRY_POINT_GROUP
        ]
        for package in distributions(path=[str(packages)])
    }
    points = [(package, target) for package, targets in found.items() for target in targets]
    if len(points) != 1:
        targets = ", ".join(target for _, target in points) or "none"
        raise InstallingError(
            f"one module is wanted by the entry points {ENTRY_POINT_GROUP} of what was installed;"
            f" there is {targets}"
        )
    return points[0]


def _take_page(page: Path, staging: Path) -> None:
    """Lay the page on the module, which it names in its packages, beside them."""
    if not page.resolve().is_relative_to((staging / PACKAGES).resolve()) or not page.is_file():
        raise InstallingError("the `card` of the module names no file of its packages")
    shutil.copyfile(page.resolve(), staging / ABOUT)


def _digest(folder: Path) -> str:
    """SHA-256 of everything that was installed but what uv has made of it or says of it.

    Of a model of a framework, its own files and what it is told count, too.
    """
    digest = hashlib.sha256()
    for place in (folder / PACKAGES, folder / MODEL, folder / PLAN):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            name = str(path.relative_to(place))
            if path.is_file() and ".dist-info" not in name and path.suffix != ".pyc":
                with path.open("rb") as file:
                    digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _place(name: str, models: Path, replaces: bool) -> Path:
    """Where the environment of the module called `name` is to lie."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name[0] == ".":
        raise ConfigurationError(f"{name!r} is no name for a module: give one with --name")
    place = models / name
    settle(place)
    if replaces and _is_environment(place):
        return place
    if place.exists() or name in known_modules(Place(models=models)):
        raise ConfigurationError(
            f"there is a module {name!r} already: add this one under another name (--name), or in"
            " its place (--replace)"
        )
    return place


def _is_environment(folder: Path) -> bool:
    return (folder / CARD).is_file() and f'module = "{KIND}"' in (folder / CARD).read_text()


def _put(staging: Path, place: Path) -> None:
    """Give the new environment its name; one that had it is removed."""
    lock = staging / LOCK
    lock.write_text(lock.read_text().replace(staging.as_uri(), place.resolve().as_uri()))
    whole = staging / "whole"
    whole.mkdir()
    for part in (LOCK, PACKAGES, WHEELS, CARD, MODEL, PLAN, ABOUT):
        if (staging / part).exists():
            (staging / part).rename(whole / part)
    take_name(whole, place)
