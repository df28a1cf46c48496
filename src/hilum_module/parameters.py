"""The parameters that a module declares: described for Hilum, and made of what a rule sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

NAMES = {bool: "boolean", int: "integer", float: "number", str: "string"}
BOUNDS = {  # as `annotated_types` and pydantic call them, and JSON Schema
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
OF_LISTS = {"minLength": "minItems", "maxLength": "maxItems"}
NO_TYPE = (
    "is of a type that no rule can set: take bool, int, float, str, a Literal, or a list or tuple"
    " of one of them; each may be None, too"
)


class _Declared(NamedTuple):
    hint: Any
    metadata: tuple[Any, ...]
    default: Any


def described(declared: Any) -> dict[str, dict[str, Any]]:
    """Each parameter of a dataclass, or of a pydantic model, as JSON Schema with its default.

    Raises `TypeError` for one without a default, and for a type that no rule can set.
    """
    return {
        name: {**_type(name, one.hint, one.metadata), "default": _plain(one.default)}
        for name, one in _known(declared).items()
    }


def made(declared: Any, values: Mapping[str, Any]) -> Any:
    """What `run` gets as `parameters`, of `values` that were judged by their description."""
    known = _known(declared)
    return declared(**{name: _revived(known[name].hint, each) for name, each in values.items()})


def _known(declared: Any) -> dict[str, _Declared]:
    if declared is None:
        return {}
    if is_dataclass(declared):
        hints = get_type_hints(declared, include_extras=True)
        return {f.name: _Declared(hints[f.name], (), _default(f)) for f in fields(declared)}
    if not hasattr(declared, "model_fields"):
        raise TypeError("the parameters are neither a dataclass nor a pydantic model")
    return {
        name: _Declared(field.annotation, tuple(field.metadata), _default_of_model(name, field))
        for name, field in declared.model_fields.items()
    }


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    raise TypeError(f"the parameter {field.name} has no default")


def _default_of_model(name: str, field: Any) -> Any:
    if field.is_required():
        raise TypeError(f"the parameter {name} has no default")
    return field.get_default(call_default_factory=True)


def _type(name: str, hint: Any, metadata: tuple[Any, ...] = ()) -> dict[str, Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if hasattr(hint, "__metadata__"):  # Annotated
        return _type(name, parts[0], (*metadata, *hint.__metadata__))
    bounds = _bounds(metadata)
    if hint in NAMES:
        return {"type": NAMES[hint], **bounds}
    if origin is Literal:
        return {"enum": list(parts)}
    if _may_be_none(hint):
        return {"anyOf": [_type(name, _without_none(hint), metadata), {"type": "null"}]}
    if origin is list or (origin is tuple and parts[1:] == (...,)):
        named = {OF_LISTS.get(key, key): value for key, value in bounds.items()}
        return {"type": "array", "items": _type(name, parts[0]), **named}
    raise TypeError(f"the parameter {name} {NO_TYPE}")


def _bounds(metadata: Iterable[Any]) -> dict[str, Any]:
    """What a value must be beside its type."""
    said = [one for each in metadata for one in (each, *getattr(each, "metadata", ()))]
    known = [(BOUNDS[key], getattr(one, key, None)) for one in said for key in BOUNDS]
    return {key: value for key, value in known if value is not None}


def _may_be_none(hint: Any) -> bool:
    is_union = get_origin(hint) is Union or type(hint).__name__ == "UnionType"
    return is_union and len(get_args(hint)) == 2 and type(None) in get_args(hint)


def _without_none(hint: Any) -> Any:
    return next(each for each in get_args(hint) if each is not type(None))


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


def _revived(hint: Any, value: Any) -> Any:
    """`value`, as JSON holds it, with the tuples that are declared."""
    if hasattr(hint, "__metadata__"):
        return _revived(get_args(hint)[0], value)
    if _may_be_none(hint):
        return None if value is None else _revived(_without_none(hint), value)
    if get_origin(hint) not in (tuple, list):
        return value
    return get_origin(hint)(_revived(get_args(hint)[0], each) for each in value)
