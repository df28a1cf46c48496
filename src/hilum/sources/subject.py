"""Whose certificate a caller has shown, and whether it is on the list."""

import re
from collections.abc import Collection
from dataclasses import dataclass

SHORT = {  # RFC 4514 3
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
}


@dataclass(frozen=True)
class CertificateSubject:
    """The attributes of a subject, each with the name and the value that it has in Python."""

    parts: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """As in RFC 4514, such as "CN=MR1,O=Hospital"; "" is nobody."""
        return ",".join(
            f"{SHORT.get(name, name)}={_escaped(value)}" for name, value in reversed(self.parts)
        )

    def is_among(self, allowed: Collection[str]) -> bool:
        """Whether it is one of those allowed, by its whole or its common name."""
        common_names = {value for name, value in self.parts if name == "commonName"}
        plain = {name for name in common_names if "=" not in name}  # those with it are wholes
        return bool(self.parts) and not {str(self), *plain}.isdisjoint(allowed)


def _escaped(value: str) -> str:
    """`value`, so that nothing in it can pass for an attribute of its own (RFC 4514 2.4)."""
    return re.sub(r'[",+;<>\\]|^[ #]| $', r"\\\g<0>", value).replace("\0", r"\00")
