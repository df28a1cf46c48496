"""How a folder with a model, as a framework leaves it, becomes a module of its own environment."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import Field, JsonValue
from pydicom.sr.coding import Code

from hilum.errors import ConfigurationError
from hilum.kinds import FORMATS
from hilum.module import CARD
from hilum.module.cards import ABOUT, CardVolume, CommonCard
from hilum.module.structures import UNNUMBERED, StructureText
from hilum.wording import suggestion
from hilum.wrong_values import reason_of

PLAN, MODEL = "plan.json", "model"  # as `hilum_module.models` finds them
NOT_ACROSS = ("objection",)  # fields of an `Input` that stay on this side of the pipe
LEFT_BEHIND = shutil.ignore_patterns(".git", "__pycache__")


class ModelLabel(StructureText):
    """What the structure is that the model calls `name`."""

    name: str = Field(min_length=1)


class FrameworkCard(CommonCard):
    """What a card says of a model of a framework; the model itself has said a part of it.

    `packages` are versions that take the place of those that the model names: "" is any.
    Structures in `left_out` are not reported.
    """

    module: str
    input: CardVolume
    label: tuple[ModelLabel, ...] = ()
    left_out: tuple[str, ...] = ()
    packages: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """All that is needed to make the environment of a model in `folder`.

    `numbers` are those of each structure in the label map, by the name that the model has for it;
    `target` names the class that runs it, `options` is what that class is told. `about` is a page
    on the model, if there is one; `files` are the parts of the folder that are needed, all of it
    without any.
    """

    folder: Path
    card: FrameworkCard
    target: str
    numbers: Mapping[str, tuple[int, ...]]
    packages: Mapping[str, str]
    options: Mapping[str, JsonValue]
    about: Path | None = None
    files: Sequence[Path] = field(default_factory=tuple)

    @property
    def package(self) -> str:
        """What the module came with, for its card."""
        return f"{self.card.module}: {self.folder.resolve().name}"

    @property
    def requirements(self) -> tuple[str, ...]:
        """What uv is asked for; `ConfigurationError` for what is no package, such as an option."""
        wanted = {**self.packages, **self.card.packages}
        return tuple(self._requirement(name, version) for name, version in wanted.items())

    def _requirement(self, name: str, version: str) -> str:
        try:
            wanted = Requirement(f"{name}=={version}" if version else name)
        except InvalidRequirement as error:
            raise ConfigurationError(
                f"{self.folder}: {name!r} in version {version!r} is no package"
            ) from error
        if wanted.url:
            raise ConfigurationError(f"{self.folder}: the package {name!r} names an address")
        return str(wanted)

    @property
    def structures(self) -> tuple[str, ...]:
        """Each structure with its code, for the person who adds the model."""
        coded = ((each.label, each.code) for each in self.labels)
        return tuple(
            f"{label}: ({code.value}, {code.scheme_designator}, {code.meaning})"
            for label, code in coded
        )

    @property
    def labels(self) -> tuple[ModelLabel, ...]:
        """What each structure is: by the card, else by the name that the model has for it.

        Raises `ConfigurationError` for a name of the card that the model has not, and for a name
        that says no code; the text says what the card has to say.
        """
        given = {label.name: label for label in self.card.label}
        for name in (*given, *self.card.left_out):
            if name not in self.numbers:
                raise ConfigurationError(
                    f"{self.folder / CARD}: the model has no {name!r}"
                    + suggestion(name, self.numbers)
                )
        names = [name for name in self.numbers if name not in self.card.left_out]
        if not names:
            raise ConfigurationError(f"{self.folder}: no structure is left to be reported")
        return tuple(given.get(name) or self._by_name(name) for name in names)

    def _by_name(self, name: str) -> ModelLabel:
        words = " ".join(name.replace("_", " ").split())
        try:
            return ModelLabel(name=name, label=words[:1].upper() + words[1:])
        except ValueError as error:
            [problem] = error.errors()  # type: ignore[attr-defined]
            raise ConfigurationError(
                f"{self.folder}: {reason_of(problem)}. Say so in a {CARD} there: [[label]] with"
                f" name = {name!r}, a label, and the code; or leave it out: left_out = [{name!r}]"
            ) from None

    def write(self, into: Path) -> None:
        """Write the plan, the model and the page on it into the folder of an environment."""
        (into / PLAN).write_text(json.dumps(self._plan(), indent=1))
        if self.files:
            for file in self.files:
                target = into / MODEL / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / file, target)
        else:
            shutil.copytree(self.folder, into / MODEL, symlinks=True, ignore=LEFT_BEHIND)
        if self.about:
            shutil.copyfile(self.about, into / ABOUT)

    def _plan(self) -> dict[str, Any]:
        card = self.card
        needs = {key: v for key, v in asdict(card.input).items() if key not in NOT_ACROSS}
        return {
            "name": card.name,
            "version": card.version,
            "title": card.title,
            "needs": needs,
            "structures": [self._structure(label) for label in self.labels],
            "notes": [card.basis, *card.warnings],
            "options": dict(self.options),
        }

    def _structure(self, label: ModelLabel) -> dict[str, Any]:
        numbers = self.numbers[label.name]
        line = label.line(numbers[0] or UNNUMBERED)
        return {
            "numbers": numbers,
            "label": line.label,
            "code": _words(line.code),
            "category": _words(line.category),
            "colour": line.shown_colour,
            "modifier": line.modifier and _words(line.modifier),
            "side": line.side and _words(line.side),
        }


def _words(code: Code) -> list[str]:
    return [code.value, code.scheme_designator, code.meaning]


def recipe_of(folder: Path) -> Recipe | None:
    """How the model in `folder` becomes a module; None if no format knows such a folder.

    Raises `ConfigurationError` for a model that cannot be run; the text says why.
    """
    for known in FORMATS.usable().values():
        made: Recipe | None = known.recipe(folder) if hasattr(known, "recipe") else None
        if made:
            return made
    return None


class OfFramework:
    """A format whose folders are added, not laid among the models."""

    @classmethod
    def with_model(cls, folder: Path) -> type:
        """Raise `ConfigurationError`: such a folder has no environment yet."""
        raise ConfigurationError(
            f"{folder} needs an environment of its own: move it elsewhere, and add it from there"
            " with `hilum modules add FOLDER`"
        )


def slug(text: str) -> str:
    """`text` as the name of a module."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64] or "model"


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object at `path`; `ConfigurationError` if it is none."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} is no JSON object")
    return values
