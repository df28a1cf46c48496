"""The four members of a module, and what results say of it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from hilum.dicom.own import OwnResults
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError
from hilum.findings import Finding
from hilum.module.composition import FindingsOf
from hilum.module.earlier import EarlierExams
from hilum.module.films import Films
from hilum.module.volumes import Input

ENTRY_POINT_GROUP = "hilum.modules"

Need = Input | Films
AnyNeed = Need | FindingsOf | EarlierExams
Needs = Need | Mapping[str, AnyNeed]


@runtime_checkable
class Module(Protocol):
    """The four members of a module. `run` is called in a process of its own that stays warm.

    With one `Input`, `run` receives that `Series`, with `Films` a tuple of `Film`; with a mapping,
    each under its name. A mapping may also hold `FindingsOf` another module, and `EarlierExams`.
    Optional: `title` (what a clinician reads), `parameters` (a frozen dataclass or a pydantic model
    with a default for each value, of which `run` gets an instance under that name), `resources`
    (`Resources`), `weights` (path of the weights, or a tuple of every file that can change a
    result, hashed into every result), `card` (path of the model card), and `with_model` (a class
    method: the same module with the model in a folder; it looks at the card only, because the
    model may harm the process that loads it).
    """

    name: str
    version: str
    needs: Needs

    def run(self, *args: Any, **inputs: Any) -> Iterable[Finding]: ...


@dataclass(frozen=True)
class ModuleFacts:
    """What every result says of the module that made it."""

    name: str
    version: str
    title: str
    weights_sha256: str

    @property
    def device_uid(self) -> str:
        """Device UID (0018,1002): changes exactly when the weights do (IHE AIR 6.5.3.1)."""
        return derived_uid("device", self.name, self.weights_sha256)


class StandIn:
    """Stands for a module whose code is not loaded here; others have told its `facts`."""

    facts: ClassVar[ModuleFacts]


def problem_of(module: object) -> str:
    """Why `module` cannot be run, as `hilum_module.members` finds it; "" if it can."""
    from hilum_module import members  # most processes load no module

    return members.problem_of(module, (Input, Films, FindingsOf, EarlierExams))


def needs_of(module: type[Module] | Module) -> dict[str, AnyNeed]:
    """All declared inputs by name; a single one is called `series`."""
    return dict(module.needs) if isinstance(module.needs, Mapping) else {"series": module.needs}


def inputs_of(module: type[Module] | Module) -> dict[str, Need]:
    """Those of them that are images."""
    return {n: one for n, one in needs_of(module).items() if isinstance(one, Input | Films)}


def findings_for(module: type[Module] | Module) -> dict[str, FindingsOf]:
    """Those of them that are findings of other modules; raises as `require_images`."""
    require_images(module)
    return {n: one for n, one in needs_of(module).items() if isinstance(one, FindingsOf)}


def earlier_for(module: type[Module] | Module) -> dict[str, EarlierExams]:
    """Those of them that are earlier exams; each says which input it goes with."""
    return earlier_among(needs_of(module))


def earlier_among(needs: Mapping[str, AnyNeed]) -> dict[str, EarlierExams]:
    """As `earlier_for`, of what a module has declared."""
    first = next((name for name, one in needs.items() if isinstance(one, Input | Films)), "")
    return {
        name: replace(one, on=one.on or first)
        for name, one in needs.items()
        if isinstance(one, EarlierExams)
    }


def require_images(module: type[Module] | Module) -> None:
    """Raise `ConfigurationError` for an input that goes with images which are not named."""
    images = inputs_of(module)
    for name, one in needs_of(module).items():
        if isinstance(one, Input | Films):
            continue
        if not images or (one.on and one.on not in images):
            known = ", ".join(images) or "none"
            raise ConfigurationError(
                f"input {name!r} goes with {one.on or 'the first input'!r}; the module's inputs of"
                f" images are: {known}"
            )


def weights_of(module: type[Module] | Module) -> tuple[Path, ...]:
    """Every file that can change a result: the weights, or the source if it has none."""
    weights = getattr(module, "weights", None)
    if weights is None:
        import inspect

        weights = inspect.getfile(module if isinstance(module, type) else type(module))
    return tuple(map(Path, weights if isinstance(weights, tuple) else (weights,)))


def facts_of(module: type[Module] | Module) -> ModuleFacts:
    """Name, version, title, and the SHA-256 of the weights, or of the source if it has none."""
    if isinstance(module, type) and issubclass(module, StandIn):
        return module.facts
    digest = hashlib.sha256()
    for path in weights_of(module):
        with path.open("rb") as file:  # piece by piece: some networks have gigabytes
            hashlib.file_digest(file, lambda: digest)
    return ModuleFacts(
        name=module.name,
        version=module.version,
        title=getattr(module, "title", module.name),
        weights_sha256=digest.hexdigest(),
    )


def starts_processes(module: type[Module]) -> bool:
    """Whether `module` says that it starts processes."""
    return bool(getattr(module, "processes", False))


def package_of(module: Module) -> str:
    """The package, or the file, that the module's code lies in; one of ours is not all of Hilum."""
    parts = type(module).__module__.split(".")
    return ".".join(parts[: 3 if parts[0] == "hilum" else 1])


def own_results_of(modules: Iterable[type[Module]]) -> OwnResults:
    """The results of `modules` as they are installed, where there are no records to ask."""
    return OwnResults({facts_of(module).device_uid for module in modules})
