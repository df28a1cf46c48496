"""The text of a settings file, as a person changes it by hand."""

from typing import Any

import tomlkit


def with_value(text: str, path: tuple[str, ...], value: Any) -> str:
    """`text` with one setting, such as `("retention", "days")`, at `value`; None leaves it out."""
    document = tomlkit.parse(text)
    *tables, key = path
    inner: Any = document
    for name in tables:
        inner = inner.setdefault(name, {})
    if value is None:
        inner.pop(key, None)
    else:
        inner[key] = value
    return tomlkit.dumps(document)
