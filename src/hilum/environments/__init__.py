"""Modules that lie in an environment of their own, with an interpreter and packages of their own.

Each is a folder of the site's models that `hilum modules add` has made: its card, the lock of what
is installed, and the packages. Nothing of it is ever imported into Hilum.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, Field

from hilum.config.fields import JSONValues
from hilum.errors import ModuleError
from hilum.findings import Finding
from hilum.module import CARD, Needs, Resources
from hilum.module.cards import WholeCard, members_of
from hilum.module.declared import DeclaredParameter, parameters_class
from hilum.module.description import Declared, Judge

KIND = "environment"  # what the card says that it describes
LOCK = "requirements.lock"
PACKAGES = "packages"

Ask = Callable[[Mapping[str, Any], JSONValues], Iterable[Finding]]


class Environment(Declared, WholeCard):
    """What the card says: what was installed, and what the module said of itself.

    `python` is the interpreter, `target` names the class (module:Class), `package` is what it came
    with, `files_sha256` that of all installed files. `structures` are what a model of a framework
    reports, with their codes.
    """

    module: str = KIND
    package: str
    target: str
    python: Path
    files_sha256: str
    parameters: dict[str, DeclaredParameter] = Field(default_factory=dict)
    structures: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write the card to `folder`."""
        values = self.model_dump(mode="json", exclude_none=True)
        (folder / CARD).write_text(tomlkit.dumps(values))


class InEnvironment:
    """The module as Hilum sees it: what it needs is known here, what it does is asked for there."""

    name: str
    version: str
    title: str
    needs: Needs
    weights: Path
    processes: bool
    parameters: type[BaseModel] | None
    resources: Resources
    environment: Environment
    folder: Path

    def __init__(self, ask: Ask | None = None) -> None:
        """`ask` gives what the module finds; only a host has it."""
        self._ask = ask

    def run(
        self, *given: Any, parameters: BaseModel | None = None, **by_name: Any
    ) -> Iterable[Finding]:
        """What the module finds in its environment."""
        if self._ask is None:
            raise ModuleError(f"module {self.name} runs in its own environment, by its host only")
        inputs = by_name or dict(zip(self.environment.needs, given, strict=True))
        chosen = parameters.model_dump(mode="json") if parameters else {}
        return self._ask(inputs, chosen)

    @classmethod
    def with_model(cls, folder: Path) -> "type[InEnvironment]":
        """The module whose environment lies in `folder`."""
        return cls._of(folder, Environment.read(folder))

    @classmethod
    def with_judges(cls, judge: Callable[[str], Judge]) -> "type[InEnvironment]":
        """The same module, where `judge` gives what asks its functions `objection`."""
        return cls._of(cls.folder, cls.environment.with_judges(judge))

    @classmethod
    def _of(cls, folder: Path, card: Environment) -> "type[InEnvironment]":
        members = {
            **members_of(folder, card),
            "__module__": "environments",  # its code is none of ours, and never loaded here
            "needs": card.all_needs,
            "weights": folder / CARD,
            "processes": card.processes,
            "parameters": parameters_class(card.parameters),
            "resources": card.resources,
            "environment": card,
            "folder": folder,
        }
        return type(cls.__name__, (cls,), members)
