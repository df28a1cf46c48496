"""The attributes of an image, without a library for DICOM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Header:
    """Attributes by keyword, such as `header.get("PatientAge")` or `header.PatientAge`.

    A value is a text, a number, a tuple where there are several, and a tuple of `Header` for a
    sequence; None where it is empty. Private attributes, pixels and other bytes are not there.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        """`values` as JSON holds them: a list for several, an object for an item of a sequence."""
        self._values = {keyword: _revived(value) for keyword, value in values.items()}

    def get(self, keyword: str, default: Any = None) -> Any:
        """The value of an attribute, `default` where the image does not have it."""
        return self._values.get(keyword, default)

    def text(self, keyword: str, longest: int = 64) -> str:
        """The value as text of at most `longest` characters, "" if there is none."""
        value = self._values.get(keyword)
        return "" if value is None else str(value)[:longest]

    def __contains__(self, keyword: object) -> bool:
        return keyword in self._values

    def __getattr__(self, keyword: str) -> Any:
        try:
            return self.__dict__["_values"][keyword]
        except KeyError:
            raise AttributeError(f"the image has no {keyword}") from None


def _revived(value: Any) -> Any:
    if isinstance(value, dict):
        return Header(value)
    return tuple(map(_revived, value)) if isinstance(value, list) else value
