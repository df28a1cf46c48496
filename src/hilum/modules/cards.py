"""What every `card.toml` has in common: how it is read, and how its problems are told."""

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydicom.sr.coding import Code

from hilum.errors import ConfigurationError
from hilum.module import CARD


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


class CommonCard(CardTable):
    """What every card says of its module."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str = Field(min_length=1, max_length=32)
    title: str = Field(min_length=1, max_length=64)
    licence: str = Field(min_length=1)
    basis: str = Field(min_length=1)
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card in `folder`; raise `ConfigurationError` that lists every problem."""
        path = folder / CARD
        try:
            return cls.model_validate(tomllib.loads(path.read_text()))
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            problems = "; ".join(map(_explain, error.errors()))
            raise ConfigurationError(f"{path}: {problems}") from None


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}"
    return f"{where}: {message}" if where else message
