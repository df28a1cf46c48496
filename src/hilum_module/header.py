"""The attributes of an image, without a library for DICOM."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple


class Header:
    """Attributes by keyword, such as `header.get("PatientAge")` or `header.PatientAge`.

    A value is a text, a number, a tuple where there are several, and a tuple of `Header` for a
    sequence; None where it is empty. Pixels are not there. Those that a manufacturer has defined
    are found by `private_block`.
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

    def private_block(self, group: int, private_creator: str) -> PrivateBlock:
        """The private elements that `private_creator` has defined in `group` (PS3.5 7.8.1).

        They are asked for as in pydicom: `header.private_block(0x0019, "SIEMENS MR
        HEADER")[0x0C].value`. Raises `KeyError` where the image has none.
        """
        return PrivateBlock(self._values[f"{group:04x} {private_creator}"])

    def __contains__(self, keyword: object) -> bool:
        return keyword in self._values

    def __getattr__(self, keyword: str) -> Any:
        try:
            return self.__dict__["_values"][keyword]
        except KeyError:
            raise AttributeError(f"the image has no {keyword}") from None


class PrivateElement(NamedTuple):
    """One private element: its value, as that of any attribute."""

    value: Any


class PrivateBlock:
    """The private elements of one creator, by the last two digits of their tag."""

    def __init__(self, elements: Header) -> None:
        self._elements = elements

    def __contains__(self, offset: int) -> bool:
        return f"{offset:02x}" in self._elements

    def __getitem__(self, offset: int) -> PrivateElement:
        if offset not in self:
            raise KeyError(offset)
        return PrivateElement(self._elements.get(f"{offset:02x}"))


def _revived(value: Any) -> Any:
    if isinstance(value, dict):
        return b64decode(value["base64"]) if "base64" in value else Header(value)
    return tuple(map(_revived, value)) if isinstance(value, list) else value
