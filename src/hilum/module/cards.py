"""`card.toml`, which describes a module in a folder of its own.

What every card has in common: how it is read, and how its problems are told.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydicom.sr.coding import Code

from hilum.errors import ConfigurationError
from hilum.module.films import Films
from hilum.module.volumes import Input
from hilum.wrong_values import reason_of, wrong_values_in

CARD = "card.toml"
ABOUT = "card.md"  # beside it: a page on the module, for the console
BESIDE = ("earlier", "findings")  # what only a module in Python can ask for
DIRECTIONS = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}  # which axis of the patient each is


class CardTable(BaseModel):
    """A table of the card. It is frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CodedTable(CardTable):
    """A table with a code (PS3.16, SNOMED CT, ...)."""

    value: str = Field(min_length=1, max_length=16)
    scheme: str = Field(min_length=1, max_length=16)
    meaning: str = Field(min_length=1, max_length=64)

    @property
    def code(self) -> Code:
        return Code(self.value, self.scheme, self.meaning)


class WholeCard(CardTable):
    """All that stands in a card."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card in `folder`; raise `ConfigurationError` that lists every problem."""
        return cls.of(folder, card_values(folder))

    @classmethod
    def of(cls, folder: Path, values: Mapping[str, Any]) -> Self:
        """The card of the module in `folder` that says `values`; raises as `read`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(f"{folder / CARD}: {in_words(error)}") from None


class CommonCard(WholeCard):
    """What the card of a model or of a container says of its module."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str = Field(min_length=1, max_length=32)
    title: str = Field(min_length=1, max_length=64)
    licence: str = Field(min_length=1)
    basis: str = Field(min_length=1)
    warnings: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _asks_for_one_exam(cls, values: Any) -> Any:
        if isinstance(values, dict) and (asked := [key for key in BESIDE if key in values]):
            raise ValueError(
                f"{asked[0]}: a module that a card describes gets the images of one exam, no"
                " earlier exams and no findings of others: write one in Python that asks for them"
            )
        return values


def _need(value: Any) -> Any:
    """`[input]` of a card as what a module needs: radiographs where `modalities` are listed."""
    if not isinstance(value, dict):
        raise ValueError("a table is needed")
    kind: type[Any] = Films if "modalities" in value else Input
    if unknown := sorted(value.keys() - {field.name for field in fields(kind)}):
        raise ValueError(f"unknown key {unknown[0]}")
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(in_words(error)) from None


def _table(need: Any) -> dict[str, Any]:
    """What a card holds of a need; TOML has no None."""
    return {key: value for key, value in asdict(need).items() if value is not None}


def _volume(value: Any) -> Any:
    """As `_need`, where nothing but a volume will do."""
    if isinstance(value, dict) and "modalities" in value:
        raise ValueError("a volume is needed: modality, not modalities")
    return _need(value)


def _axes(axes: str) -> str:
    if len(axes) != 3 or {DIRECTIONS.get(letter) for letter in axes} != {0, 1, 2}:
        raise ValueError('axes names each direction of the patient once, such as "RAS"')
    return axes


Axes = Annotated[str, AfterValidator(_axes)]  # where each axis of an array leads in the patient
CardInput = Annotated[
    Input | Films, PlainValidator(_need), PlainSerializer(_table, return_type=dict)
]
CardVolume = Annotated[Input, PlainValidator(_volume)]


def members_of(folder: Path, card: Any) -> dict[str, Any]:
    """The members of a module that its `card` in `folder` states, and what tells of it."""
    said = {"name": card.name, "version": card.version, "title": card.title}
    return {**said, "card": page_of(folder)}


def page_of(folder: Path) -> Path:
    """What tells people of the module in `folder`: the page beside its card, else the card."""
    page = folder / ABOUT
    return page if page.is_file() else folder / CARD


def card_values(folder: Path) -> dict[str, Any]:
    """What stands in the card in `folder`; `ConfigurationError` if it cannot be read."""
    path = folder / CARD
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def in_words(error: ValidationError) -> str:
    """Every problem, by the key that has it."""
    return "; ".join(map(_explain, wrong_values_in(error)))


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = reason_of(error)
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}"
    if error["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {message}" if where else message
