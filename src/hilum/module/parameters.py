"""The parameters that a module declares and a rule sets, and what the module needs of a machine."""

import json
from collections.abc import Collection
from dataclasses import dataclass, fields, is_dataclass

from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from hilum.config.fields import JSONValues
from hilum.errors import ConfigurationError
from hilum.module.protocol import Module
from hilum.wording import suggestion
from hilum.wrong_values import reason_of


@dataclass(frozen=True)
class Resources:
    """What a module needs of the machine to run at all; `memory_mb` in MiB.

    The site says what it gives: `worker.memory_mb` and `worker.threads`. A module that needs more
    is refused when Hilum starts.
    """

    memory_mb: int = 256
    threads: int = 1


def parameters_of(module: type[Module] | Module, given: JSONValues) -> object | None:
    """The parameters of one run: an instance of `module.parameters`, None if it declares none.

    Raises
    ------
    ConfigurationError
        The module has no such parameter, or the value cannot be one; the text says which.
    """
    declared = getattr(module, "parameters", None)
    require_known(given, names_of_parameters(module))
    if declared is None:
        return None
    try:
        made: object = TypeAdapter(declared).validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "all together"
        raise ConfigurationError(f"parameter {place}: {reason_of(first)}") from error
    except PydanticSchemaGenerationError as error:
        raise ConfigurationError(f"the parameters of module {module.name!r}: {error}") from error
    return made


def require_resources(module: type[Module], memory_mb: int, threads: int) -> None:
    """Raise `ConfigurationError` if the site gives less than `module.resources`."""
    needed: Resources = getattr(module, "resources", Resources())
    for name, has, needs in (
        ("memory_mb", memory_mb, needed.memory_mb),
        ("threads", threads, needed.threads),
    ):
        if has < needs:
            raise ConfigurationError(f"it needs worker.{name} = {needs}, which is {has}: raise it")


def require_known(given: JSONValues, known: Collection[str]) -> None:
    """Raise `ConfigurationError` for a name that is `given` and not `known`."""
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"parameter {name!r}: the module has none of that name{suggestion(name, known)}"
            )


def names_of_parameters(module: type[Module] | Module) -> tuple[str, ...]:
    """What a rule may set; `ConfigurationError` where that is declared in no way that is known."""
    declared = getattr(module, "parameters", None)
    if declared is None:
        return ()
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return tuple(declared.model_fields)
    if isinstance(declared, type) and is_dataclass(declared):
        return tuple(field.name for field in fields(declared))
    raise ConfigurationError(
        f"the parameters of module {module.name!r} are neither a dataclass nor a pydantic model"
    )
