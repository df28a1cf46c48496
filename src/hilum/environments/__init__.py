"""Modules that lie in an environment of their own, with an interpreter and packages of their own.

Each is a folder of the site's models that `hilum modules add` has made: its card, the lock of what
is installed, and the packages. Nothing of it is ever imported into Hilum.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, ValidationError

from hilum.dicom.series import Series
from hilum.errors import ConfigurationError, ModuleError
from hilum.findings import Finding
from hilum.module import CARD, Input, Need

KIND = "environment"  # what the card says that it describes
LOCK = "requirements.lock"
PACKAGES = "packages"
ABOUT = "about.md"  # for people; the console shows it as the card of the module

Ask = Callable[[Mapping[str, Series | None]], Iterable[Finding]]


class Environment(BaseModel):
    """What the card says: what was installed, and what the module said of itself.

    `python` is the interpreter, `target` names the class (module:Class), `package` is what it came
    with, `files_sha256` that of all installed files. With `by_name`, `run` takes its inputs by
    their names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str = KIND
    name: str
    version: str
    title: str
    package: str
    target: str
    python: Path
    files_sha256: str
    processes: bool
    by_name: bool
    needs: dict[str, Input]

    @classmethod
    def read(cls, folder: Path) -> "Environment":
        """What the card in `folder` says; `ConfigurationError` names the value that is wrong."""
        try:
            return cls.model_validate(tomllib.loads((folder / CARD).read_text()))
        except (OSError, ValueError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
            raise ConfigurationError(f"{folder / CARD}: {why}") from error

    def write(self, folder: Path) -> None:
        """Write the card to `folder`."""
        values = self.model_dump(mode="json", exclude_none=True)
        (folder / CARD).write_text(tomlkit.dumps(values))


class InEnvironment:
    """The module as Hilum sees it: what it needs is known here, what it does is asked for there."""

    name: str
    version: str
    title: str
    needs: Need | Mapping[str, Need]
    weights: Path
    card: Path
    environment: Environment
    folder: Path

    def __init__(self, ask: Ask | None = None) -> None:
        """`ask` gives what the module finds; only a host has it."""
        self._ask = ask

    def run(self, *given: Any, **by_name: Any) -> Iterable[Finding]:
        """What the module finds in its environment."""
        if self._ask is None:
            raise ModuleError(f"module {self.name} runs in its own environment, by its host only")
        names = self.environment.needs
        return list(self._ask(by_name or dict(zip(names, given, strict=True))))

    @classmethod
    def with_model(cls, folder: Path) -> "type[InEnvironment]":
        """The module whose environment lies in `folder`."""
        card = Environment.read(folder)
        members: dict[str, Any] = {
            "__module__": "environments",  # its code is none of ours, and never loaded here
            "name": card.name,
            "version": card.version,
            "title": card.title,
            "needs": card.needs if card.by_name else next(iter(card.needs.values())),
            "weights": folder / CARD,
            "card": folder / ABOUT,
            "environment": card,
            "folder": folder,
        }
        return type(cls.__name__, (cls,), members)
