"""Parameters of a module that is not loaded here: described in a card, judged as any others."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model
from pydantic.alias_generators import to_camel

TYPES: Mapping[str, Any] = {
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
    "null": None,
}
BOUNDS = {  # of a schema, as pydantic calls them
    "exclusive_minimum": "gt",
    "minimum": "ge",
    "exclusive_maximum": "lt",
    "maximum": "le",
    "multiple_of": "multiple_of",
    "min_length": "min_length",
    "max_length": "max_length",
    "min_items": "min_length",
    "max_items": "max_length",
    "pattern": "pattern",
}


class DeclaredType(BaseModel):
    """The type of a parameter: the part of JSON Schema that `hilum_module.parameters` writes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )

    type: Literal["boolean", "integer", "number", "string", "array", "null"] | None = None
    enum: tuple[str | int | bool, ...] = ()
    items: "DeclaredType | None" = None
    any_of: tuple["DeclaredType", ...] = ()
    exclusive_minimum: float | None = None
    minimum: float | None = None
    exclusive_maximum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    pattern: str | None = None

    @property
    def annotation(self) -> Any:
        """It as a type that pydantic judges by."""
        values = ((BOUNDS[name], getattr(self, name)) for name in BOUNDS)
        bounds: dict[str, Any] = {name: value for name, value in values if value is not None}
        return Annotated[self._plain, Field(**bounds)] if bounds else self._plain

    @property
    def _plain(self) -> Any:
        if self.enum:
            return Literal[self.enum]
        if self.any_of:
            first, second = (each.annotation for each in self.any_of)
            return first | second
        if self.type == "array":
            inner: Any = self.items.annotation if self.items else JsonValue
            return tuple[inner, ...]
        return TYPES.get(self.type or "", JsonValue)


class DeclaredParameter(DeclaredType):
    """A parameter and its default, which is None where the card holds none."""

    default: JsonValue = None


def parameters_class(declared: Mapping[str, DeclaredParameter]) -> type[BaseModel] | None:
    """What `run` gets an instance of; None where nothing is `declared`."""
    if not declared:
        return None
    fields: dict[str, Any] = {
        name: (each.annotation, _with_tuples(each.default)) for name, each in declared.items()
    }
    return create_model("Parameters", __config__=ConfigDict(frozen=True), **fields)


def _with_tuples(value: Any) -> Any:
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
