"""What is wrong with a value that somebody wrote, in plain words and never those of a library."""

from collections.abc import Iterable, Mapping
from typing import Any

DATE = "a date is needed, such as 2026-11-29 or 2026-11-29T14:30"
DATES = ("datetime_parsing", "datetime_from_date_parsing", "datetime_type")
WORDS = {  # by the type of the error, as pydantic calls it; in braces what it tells besides
    "int_type": "a whole number is needed",
    "int_parsing": "a whole number is needed",
    "int_parsing_size": "a smaller number is needed",
    "int_from_float": "a whole number is needed",
    "float_type": "a number is needed",
    "float_parsing": "a number is needed",
    "finite_number": "a finite number is needed",
    "bool_type": "true or false is needed",
    "bool_parsing": "true or false is needed",
    "string_type": "a text in quotes is needed",
    "path_type": "a path in quotes is needed",
    "string_pattern_mismatch": "a text of the form {pattern} is needed",
    "greater_than": "more than {gt} is needed",
    "greater_than_equal": "{ge} or more is needed",
    "less_than": "less than {lt} is needed",
    "less_than_equal": "{le} or less is needed",
    "string_too_long": "{max_length} characters at most are allowed",
    "too_long": "{max_length} at most are allowed",
    "enum": "{expected} is needed",
    "literal_error": "{expected} is needed",
    "tuple_type": 'a list is needed, such as ["a", "b"]',
    "list_type": 'a list is needed, such as ["a", "b"]',
    "dict_type": "a table is needed, such as {{ name = value }}",
    "model_type": "a table is needed, such as {{ name = value }}",
    "model_attributes_type": "a table is needed, such as {{ name = value }}",
    **dict.fromkeys(DATES, DATE),
    "extra_forbidden": "there is no such setting",
    "missing": "it is missing",
}


def reasons_of(error: BaseException) -> str:
    """The reasons that a `ValidationError` of pydantic gives; "" for any other error."""
    return "; ".join(map(reason_of, wrong_values_in(error)))


def wrong_values_in(error: BaseException) -> list[Mapping[str, Any]]:
    """The `errors()` of a pydantic `ValidationError`; none of any other error.

    Without the lists that it calls too short because something in them is wrong.
    """
    given = error.errors() if hasattr(error, "errors") else []
    places = [one["loc"] for one in given]
    return [one for one in given if one["type"] != "too_short" or not _holds(one["loc"], places)]


def _holds(outer: tuple[Any, ...], places: Iterable[tuple[Any, ...]]) -> bool:
    return any(len(place) > len(outer) and place[: len(outer)] == outer for place in places)


def reason_of(error: Mapping[str, Any]) -> str:
    """The reason that one of the `errors()` of a pydantic `ValidationError` gives."""
    kind, about = error["type"], error.get("ctx", {})
    if kind in ("string_too_short", "too_short"):
        least = about["min_length"]
        what = "characters" if kind == "string_too_short" else "of them"
        return "it is empty" if least == 1 else f"{least} {what} at least are needed"
    if kind in WORDS:
        return WORDS[kind].format_map({name: _short(value) for name, value in about.items()})
    return str(error["msg"]).removeprefix("Value error, ")


def _short(value: object) -> object:
    """A limit as people write it: 1 and not 1.0."""
    return f"{value:g}" if isinstance(value, float) else value
