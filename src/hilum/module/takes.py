"""What a module takes, in words: its inputs, and what a rule may set for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import starmap

from pydantic import JsonValue

from hilum.module.composition import FindingsOf
from hilum.module.description import parameters_declared
from hilum.module.earlier import EarlierExams
from hilum.module.films import Films
from hilum.module.protocol import AnyNeed, Module, earlier_among, needs_of
from hilum.module.volumes import Input, Range

Words = tuple[tuple[str, str], ...]  # what, and what is said of it

UNITS = {
    "slice_spacing": ("Distance of slices", "mm"),
    "pixel_spacing": ("Distance of pixels", "mm"),
    "extent": ("Length of each side", "mm"),
    "echo_time": ("Echo time", "ms"),
    "b_value": ("b-value", "s/mm²"),
}
TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "null": "nothing",
}
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
    "pattern": "that matches",
}


@dataclass(frozen=True)
class Takes:
    """What one module takes: each of its `inputs`, and each of its `parameters`, by name."""

    inputs: Mapping[str, Words] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


def taken_by(module: type[Module]) -> Takes:
    """What `module` declares, in words."""
    needs = needs_of(module)
    needs |= earlier_among(needs)  # which name the input that they go with
    declared = parameters_declared(module) or {}
    return Takes(
        {name: need_in_words(need) for name, need in needs.items()},
        {name: parameter_in_words(schema) for name, schema in declared.items()},
    )


def need_in_words(need: AnyNeed) -> Words:
    """Each condition and its limits."""
    words = tuple(_conditions(need))
    return (*words, ("If there is none", "the module runs without it")) if need.optional else words


def parameter_in_words(schema: JsonValue) -> str:
    """The type of a parameter, by its JSON Schema, and its default."""
    if isinstance(schema, dict) and "default" in schema:
        return f"{_type(schema)}; {_value(schema['default'])} if no rule sets it"
    return _type(schema)


def _value(value: JsonValue) -> str:
    return TYPES["null"] if value is None else json.dumps(value)


def _type(schema: JsonValue) -> str:
    if not isinstance(schema, dict):
        return "as the module says"
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(allowed, list):
        return " or ".join(map(_value, allowed))
    several = schema.get("anyOf")
    if isinstance(several, list):
        return " or ".join(map(_type, several))
    if schema.get("type") == "array":
        return f"a list; each entry is {_type(schema.get('items'))}"
    words = TYPES.get(str(schema.get("type")), "as the module says")
    bounds = [f"{said} {schema[key]}" for key, said in BOUNDS.items() if key in schema]
    return ", ".join((words, *bounds))


def _conditions(need: AnyNeed) -> Iterator[tuple[str, str]]:
    match need:
        case Films():
            yield "Images", f"all radiographs of a study ({' or '.join(need.modalities)})"
        case FindingsOf():
            on = f"the images of {need.on}" if need.on else "the same images"
            yield "Findings", f"of the module {need.module}, on {on}"
        case EarlierExams():
            most = "the latest one" if need.most == 1 else f"the latest {need.most}"
            yield "Earlier exams of the patient", f"{most}, of the same kind as {need.on}"
        case Input():
            yield from _of_input(need)


def _of_input(need: Input) -> Iterator[tuple[str, str]]:
    yield "Images", f"{need.modality}, {'one volume' if need.volume else 'one series'}"
    low, high = need.slices
    is_open = need.slices == Input("").slices
    yield "Number of slices", "any" if is_open else f"{low} to {high}"
    limits: list[tuple[str, Range | None]] = [(name, getattr(need, name)) for name in UNITS]
    yield from starmap(_limit, ((name, limit) for name, limit in limits if limit is not None))
    for keyword, pattern in need.header.items():
        yield keyword, f"matches {pattern}"
    if need.orientation:
        yield "Orientation", need.orientation
    if need.contrast is not None:
        yield "Contrast agent", "given" if need.contrast else "not given"
    if need.objection or type(need) is not Input:
        yield "Further conditions", "as the module says"
    if need.volume:
        is_laid = need.tilt == "resample"
        yield "Tilted gantry", "laid on a right-angled grid" if is_laid else "refused"


def _limit(name: str, limit: Range) -> tuple[str, str]:
    words, unit = UNITS[name]
    return words, f"{limit[0]:g} to {limit[1]:g} {unit}"
