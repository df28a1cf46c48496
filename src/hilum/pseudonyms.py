"""What stands in the place of whatever names a patient in what leaves this site: a keyed hash.

The same patient has the same pseudonym in every export of this site. Nobody who does not have the
key can find out from a patient ID, of which there are few, which pseudonym it has.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from hilum.inbox import write_once
from hilum.privacy import secret_in

FILE = "export.key"
BYTES = 16  # of a pseudonym


class Pseudonyms:
    """The pseudonyms that belong to one `key`."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def of(self, kind: str, *values: str) -> str:
        """The pseudonym of what `values` name together, 32 hex digits; "" of nothing.

        `kind` keeps a patient and a study apart that happen to have the same number.
        """
        if not any(values):
            return ""
        named = "\0".join((kind, *values)).encode()
        return hmac.new(self._key, named, hashlib.sha256).hexdigest()[: 2 * BYTES]


def site_key(data: Path) -> str:
    """The key of this site, in a file below the data folder; it is made when first needed.

    Raises
    ------
    ConfigurationError
        Others may read the file; the text ends with the cure.
    """
    file = data / FILE
    if not file.exists():
        write_once(file, secrets.token_hex(32).encode())
    return secret_in(file, "the key of pseudonyms")
