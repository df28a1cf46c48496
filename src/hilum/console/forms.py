"""Forms made from the classes of the settings: a field for each setting, with its help sentence.

Whoever adds a setting, or a kind with settings of its own, has its field with it. What is sent back
becomes the values of a table in hilum.toml; what is as usual, and was not written there before, is
left out.
"""

import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi import Depends, Request
from pydantic import JsonValue, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData

from hilum.config.editing import toml_text
from hilum.config.fields import Settings, toml_value
from hilum.config.masking import is_secret
from hilum.config.reference import section_of
from hilum.wrong_values import reason_of, wrong_values_in

FieldShape = Literal[
    "text",
    "number",
    "choice",
    "choices",
    "yes or no",
    "lines",
    "pairs",
    "values",
    "nested",
    "secret",
]
LONGEST = 10_000  # characters of one field
Choices = Mapping[str, Collection[str]]
NO_CHOICES: Choices = {}


async def _sent(request: Request) -> FormData:
    return await request.form()


SentForm = Annotated[FormData, Depends(_sent)]  # the parameter of a page that is sent a form


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    `name` is that of the setting, with dots where it lies in a section of its own. `text` is what
    the field shows, `chosen` what is ticked. `usual` is what holds if nothing is written, and
    `example` a line of what holds several. A secret is never shown; left blank, it stays as it is.
    """

    name: str
    shape: FieldShape
    help: str
    required: bool
    usual: str
    example: str = ""
    text: str = ""
    choices: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    problem: str = ""


class FieldProblems(Exception):  # noqa: N818
    """What is wrong with what was filled in: a sentence for each field, by its name."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems.items()))
        self.problems = problems


def fields_of(
    settings: type[Settings],
    values: Mapping[str, Any],
    choices: Choices = NO_CHOICES,
) -> list[FormField]:
    """The fields for `settings`, filled with `values` as they stand in hilum.toml.

    `choices` are by the name of the setting, where one or several of a list are meant.
    """
    return [
        _field(name, field, _at(values, name), choices.get(name))
        for name, field in _settings(settings)
    ]


def values_of(
    settings: type[Settings],
    sent: FormData,
    before: Mapping[str, Any],
    choices: Choices = NO_CHOICES,
) -> dict[str, Any]:
    """What was filled in, as values of hilum.toml, where `before` stood.

    Raises
    ------
    FieldProblems
        Something cannot be so.
    """
    values: dict[str, Any] = {}
    problems = {}
    for name, field in _settings(settings):
        try:
            shape = _shape(name, field, name in choices)
            value = _value(shape, name, sent)
            if shape == "secret" and value is None:
                value = _at(before, name)
        except ValueError as error:
            problems[name] = str(error)
            continue
        was_written = _at(before, name) is not None
        if value is not None and (was_written or value != _usual(field)):
            _put(values, name, value)
    if problems:
        raise FieldProblems(problems)
    try:
        settings.model_validate(values)
    except ValidationError as error:
        raise FieldProblems(_problems_in(settings, error)) from error
    return values


def refilled(fields: Iterable[FormField], sent: FormData) -> list[FormField]:
    """The fields with what somebody has filled in, right or wrong."""
    made = []
    for one in fields:
        texts = tuple(text for text in sent.getlist(one.name) if isinstance(text, str))
        if one.shape == "secret":
            made.append(one)
            continue
        is_ticked = one.shape in ("choice", "choices", "yes or no")
        made.append(replace(one, chosen=texts) if is_ticked else replace(one, text="".join(texts)))
    return made


def _problems_in(settings: type[Settings], error: ValidationError) -> dict[str, str]:
    names = [name for name, _ in _settings(settings)]
    found: dict[str, str] = {}
    for one in wrong_values_in(error):
        place = ".".join(str(part) for part in one["loc"] if part != "[key]")
        name = next((name for name in names if f"{place}.".startswith(f"{name}.")), names[0])
        said = reason_of(one)
        inside = place.removeprefix(name).strip(".")
        text = f"{inside}: {said}" if inside else said
        found[name] = "; ".join(filter(None, (found.get(name), text)))
    return found


def _settings(settings: type[Settings], within: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting that has a field, with those of sections inside."""
    for key, field in settings.model_fields.items():
        name = f"{within}{key}"
        inner = section_of(field)
        if inner and get_origin(field.annotation) is not tuple:
            yield from _settings(inner, f"{name}.")
        else:
            yield name, field


def _field(name: str, field: FieldInfo, value: Any, choices: Collection[str] | None) -> FormField:
    shape = _shape(name, field, choices is not None)
    made = FormField(
        name,
        shape,
        field.description or "",
        required=field.is_required(),
        usual="" if field.is_required() or shape == "secret" else _text(shape, _usual(field)),
        example=_text("pairs", field.examples[0]) if shape == "pairs" and field.examples else "",
    )
    if shape == "secret":
        return made
    if shape not in ("choice", "choices", "yes or no"):
        return replace(made, text=_text(shape, value))
    shown = _usual(field) if value is None else value
    if shape == "yes or no":
        return replace(made, chosen=("yes",) if shown else ())
    chosen = tuple(map(str, shown if isinstance(shown, list | tuple) else (shown or "",)))
    offered = dict.fromkeys((*(choices or _literals(field)), *chosen))
    return replace(made, choices=tuple(filter(None, offered)), chosen=chosen)


def _shape(name: str, field: FieldInfo, has_choices: bool) -> FieldShape:
    plain = _plain(field.annotation)
    if plain is SecretStr or (plain is str and is_secret(name)):
        return "secret"
    is_list = get_origin(plain) is tuple
    if has_choices:
        return "choices" if is_list else "choice"
    if is_list:
        return "lines"
    if get_origin(plain) is dict:
        return _shape_of_table(get_args(plain)[1])
    if _literals(field):
        return "choice"
    if plain is bool:
        return "yes or no"
    return "number" if plain in (int, float) else "text"


def _shape_of_table(of: Any) -> FieldShape:
    """The shape of a table with values of a type."""
    if of is JsonValue:
        return "values"
    return "nested" if get_origin(_plain(of)) is dict else "pairs"


def _plain(annotation: Any) -> Any:
    """The type below Annotated, and below what may be left out."""
    if hasattr(annotation, "__metadata__"):
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain(get_args(annotation)[0])
    return annotation


def _literals(field: FieldInfo) -> tuple[str, ...]:
    plain = _plain(field.annotation)
    if get_origin(plain) is Literal:
        return get_args(plain)
    return tuple(str(one.value) for one in plain) if hasattr(plain, "__members__") else ()


def _usual(field: FieldInfo) -> Any:
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True)
    return list(value) if isinstance(value, tuple) else value


def _text(shape: FieldShape, value: Any) -> str:
    if value is None:
        return ""
    if shape == "lines":
        return "\n".join(map(str, value))
    if shape == "pairs":
        return "\n".join(f"{key} = {pattern}" for key, pattern in value.items())
    if shape == "values":
        return "\n".join(f"{key} = {toml_text(one)}" for key, one in value.items())
    if shape == "nested":
        return "\n".join(
            f"{name}.{key} = {pattern}"
            for name, one in value.items()
            for key, pattern in one.items()
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _value(shape: FieldShape, name: str, sent: FormData) -> Any:
    """What was sent for a field; None if that is nothing."""
    texts = [text.strip() for text in sent.getlist(name) if isinstance(text, str)]
    if any(len(text) > LONGEST for text in texts):
        raise ValueError(f"at most {LONGEST} characters")
    if shape == "choices":
        return [text for text in texts if text]
    text = texts[0] if texts else ""
    if shape == "yes or no":
        return text == "yes"
    if not text:
        return None
    if shape == "number":
        return _number(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if shape == "lines":
        return lines
    if shape == "pairs":
        return dict(map(_pair, lines))
    if shape == "values":
        return {key: toml_value(text) for key, text in map(_pair, lines)}
    return _nested(lines) if shape == "nested" else text


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"a number, not {text!r}") from error


def _pair(line: str) -> tuple[str, str]:
    key, is_there, pattern = line.partition("=")
    if not is_there or not key.strip():
        raise ValueError(f"each line as in NAME = VALUE, not {line!r}")
    return key.strip(), pattern.strip()


def _nested(lines: list[str]) -> dict[str, dict[str, str]]:
    made: dict[str, dict[str, str]] = {}
    for line in lines:
        key, pattern = _pair(line)
        name, is_there, keyword = key.partition(".")
        if not is_there:
            raise ValueError(f"each line as in t1.SeriesDescription = ^T1, not {line!r}")
        made.setdefault(name, {})[keyword] = pattern
    return made


def _at(values: Mapping[str, Any], name: str) -> Any:
    found: Any = values
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, key = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[key] = str(value) if isinstance(value, Path) else value
