"""Where the code of a module comes from, as a value that another process can load it by."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from hilum.errors import ConfigurationError
from hilum.kinds import OURS
from hilum.module.protocol import Module, findings_for, problem_of


@dataclass(frozen=True)
class CodeOrigin:
    """What an entry point names (`target`, module:Class), with the model in `folder` if any.

    One that is `foreign` does not come with Hilum: its code runs behind walls only, unless it is a
    format whose modules another kind of host runs than the usual one.
    """

    target: str
    folder: Path | None = None
    foreign: bool = False

    @classmethod
    def of(cls, target: str) -> "CodeOrigin":
        """That of the module that an entry point names."""
        return cls(target, foreign=cls(target).package != OURS)

    @property
    def package(self) -> str:
        """The package, or the only file, that the code lies in."""
        return self.target.partition(":")[0].partition(".")[0]

    def load(self) -> type[Module]:
        """The class of the module; raises `ConfigurationError` that says why there is none."""
        try:
            module: type[Module] = EntryPoint("", self.target, "").load()
        except Exception as error:  # a plug-in may raise anything while it loads
            text = f"{self.target} does not load: {type(error).__name__}: {error}"
            raise ConfigurationError(text) from error
        if self.folder is not None:
            module = self._with_model(module, self.folder)
        if problem := problem_of(module):
            raise ConfigurationError(f"{self.target} {problem}")
        try:
            findings_for(module)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.target}: {error}") from error
        return module

    def _with_model(self, module: type[Module], folder: Path) -> type[Module]:
        take = getattr(module, "with_model", None)
        if take is None:
            raise ConfigurationError(f"{self.target} takes no model of yours: it has no with_model")
        try:
            made: type[Module] = take(folder)
        except ConfigurationError:
            raise
        except Exception as error:  # whatever lies in a folder, the others work
            raise ConfigurationError(f"{folder}: {type(error).__name__}") from error
        return made
