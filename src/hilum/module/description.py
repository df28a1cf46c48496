"""What a module says of itself, as bounded JSON, and the class that stands for it in Hilum.

The code of a module runs behind walls. There it is described; the gateway, the console, the
commands and the checks know the description only, and do not trust it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from hilum.dicom.series import Series
from hilum.errors import ConfigurationError, ModuleError
from hilum.findings import Finding
from hilum.module.cards import CardInput, in_words
from hilum.module.composition import FindingsOf
from hilum.module.earlier import EarlierExams
from hilum.module.films import Films
from hilum.module.origin import CodeOrigin
from hilum.module.parameters import Resources, names_of_parameters
from hilum.module.protocol import (
    AnyNeed,
    Module,
    ModuleFacts,
    Needs,
    StandIn,
    facts_of,
    needs_of,
    starts_processes,
    weights_of,
)
from hilum.module.volumes import Input

LONGEST_CARD = 200_000  # characters
WRONG_WORDS = "what it says of itself is wrong"
OneLine = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[OneLine, Field(min_length=1)]
Weights = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Judge = Callable[[Series], str]  # why a series is not meant, "" if it is


class ModulePage(NamedTuple):
    """What tells people of a module: Markdown, or the TOML of its card."""

    text: str
    is_toml: bool = False


class Declared(BaseModel):
    """What every module declares, also one in an environment of its own.

    With `by_name`, `run` takes its inputs by their names. `findings` are those of other modules
    that it names, `earlier` its inputs for earlier exams. `objecting` are the inputs for which it
    has a function that may object to a series.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    name: Name
    version: Name
    title: OneLine
    processes: bool
    by_name: bool
    needs: dict[str, CardInput]
    findings: dict[str, FindingsOf] = Field(default_factory=dict)
    earlier: dict[str, EarlierExams] = Field(default_factory=dict)
    resources: Resources = Resources()
    objecting: tuple[str, ...] = ()

    def with_judges(self, judge: Callable[[str], Judge]) -> Self:
        """The same, where `judge` gives what asks the function for the input of a name."""
        needs = dict(self.needs)
        for name in self.objecting:
            need = needs.get(name)
            if isinstance(need, Input):
                needs[name] = replace(need, objection=judge(name))
        return self.model_copy(update={"needs": needs})

    @property
    def all_needs(self) -> Needs:
        """Its images, findings of other modules and earlier exams, as it has declared them."""
        if not self.by_name:
            return next(iter(self.needs.values()))
        return {**self.needs, **self.findings, **self.earlier}


class Description(Declared):
    """All that Hilum has to know of a module whose code it does not load.

    `host` is the kind of host that it runs by, `weights` are the files whose SHA-256 (one over all)
    is `weights_sha256`. `card` is the text of its model card. `parameters` are what a rule may set,
    each by a JSON Schema with its type and its default; None where the module declares none.
    """

    host: OneLine
    weights: tuple[str, ...]
    weights_sha256: Weights
    card: Annotated[str, Field(max_length=LONGEST_CARD)] = ""
    card_is_toml: bool = False
    parameters: dict[str, JsonValue] | None = None

    @classmethod
    def of(cls, module: type[Module]) -> "Description":
        """What `module` says of itself.

        Raises
        ------
        ConfigurationError
            It declares what Hilum cannot know without its code, or its weights cannot be read.
        """
        needs = {name: _plain(name, need) for name, need in needs_of(module).items()}
        files, page = weights_of(module), card_of(module)
        try:
            facts = facts_of(module)
        except OSError as error:
            raise ConfigurationError(
                f"its weights {error.filename} cannot be read ({error.strerror}): let them lie in"
                " its package or in the site's folder `models`, or name their folder by `folders`"
                " in its [[host]]"
            ) from error
        return cls.judged(
            {
                "name": facts.name,
                "version": facts.version,
                "title": facts.title,
                "processes": starts_processes(module),
                "by_name": isinstance(module.needs, Mapping),
                "needs": _of_kind(needs, Input, Films),
                "findings": _of_kind(needs, FindingsOf),
                "earlier": _of_kind(needs, EarlierExams),
                "host": getattr(module, "host", "child"),
                "resources": asdict(getattr(module, "resources", Resources())),
                "weights": tuple(map(str, files)),
                "weights_sha256": facts.weights_sha256,
                "card": page.text,
                "card_is_toml": page.is_toml,
                "parameters": parameters_declared(module),
                "objecting": tuple(n for n, o in needs_of(module).items() if _objects(o)),
            }
        )

    @classmethod
    def judged(cls, told: object) -> "Description":
        """The description that somebody has told; `ConfigurationError` if it is none."""
        try:
            found = cls.model_validate(told)
        except ValidationError as error:
            text = in_words(error)[:400]
            raise ConfigurationError(f"{WRONG_WORDS}: {text}") from error
        if not found.needs and not found.by_name:
            raise ConfigurationError(f"{WRONG_WORDS}: it has no input")
        return found

    @property
    def facts(self) -> ModuleFacts:
        """What every result says of it."""
        return ModuleFacts(self.name, self.version, self.title, self.weights_sha256)


class DescribedModule(StandIn):
    """Stands for a module: what it needs is known here, its code runs behind walls."""

    described: ClassVar[Description]
    origin: ClassVar[CodeOrigin]
    name: str
    version: str
    title: str
    needs: Needs

    def run(self, *_args: Any, **_inputs: Any) -> Iterable[Finding]:
        """Nothing here: a host runs the module."""
        raise ModuleError(f"module {self.name} runs behind walls, by its host only")


def stand_in(
    described: Description, origin: CodeOrigin, judge: Callable[[str], Judge]
) -> type[DescribedModule]:
    """The class that stands for the module that `origin` names.

    `judge` gives what asks its function for the input of a name.
    """
    described = described.with_judges(judge)
    members = {
        "__module__": origin.package,  # its code is none of ours, and never loaded here
        "name": described.name,
        "version": described.version,
        "title": described.title,
        "needs": described.all_needs,
        "processes": described.processes,
        "host": described.host,
        "resources": described.resources,
        "facts": described.facts,
        "described": described,
        "origin": origin,
    }
    return type(DescribedModule.__name__, (DescribedModule,), members)


def card_of(module: type[Module]) -> ModulePage:
    """The model card of `module`, without text where it has none that can be read."""
    if issubclass(module, DescribedModule):
        return ModulePage(module.described.card, module.described.card_is_toml)
    card = getattr(module, "card", None)
    try:
        text = Path(card).read_text(encoding="utf-8")[:LONGEST_CARD] if card else ""
    except (OSError, UnicodeDecodeError):
        return ModulePage("")
    return ModulePage(text, str(card).endswith(".toml"))


def _of_kind(needs: Mapping[str, AnyNeed], *kinds: type) -> dict[str, dict[str, Any]]:
    return {name: asdict(need) for name, need in needs.items() if isinstance(need, kinds)}


def _objects(need: object) -> bool:
    return isinstance(need, Input) and need.objection is not None


def _plain(name: str, need: AnyNeed) -> AnyNeed:
    """The fields of `need` without its function; `ConfigurationError` for a class of its own."""
    if type(need) not in (Input, Films, FindingsOf, EarlierExams):
        raise ConfigurationError(
            f"input {name!r} is of the class {type(need).__name__}, and Hilum does not load a"
            " module's code to choose a series: say what it needs by the fields of hilum.Input, and"
            " by its function `objection`, which is asked behind the walls"
        )
    return replace(need, objection=None) if isinstance(need, Input) else need


def parameters_declared(module: type[Module]) -> dict[str, JsonValue] | None:
    """What a rule may set, each by its JSON Schema: {} for a type which that cannot tell.

    None where the module declares none.
    """
    if issubclass(module, DescribedModule):
        return module.described.parameters
    declared = getattr(module, "parameters", None)
    names = names_of_parameters(module)
    if declared is None:
        return None
    try:
        told = TypeAdapter(declared).json_schema().get("properties", {})
    except Exception:  # noqa: BLE001 - the types are the module's own, and may raise anything
        told = {}
    return {name: told.get(name, {}) for name in names}
