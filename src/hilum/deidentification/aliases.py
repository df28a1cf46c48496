"""UIDs and patients by other names: keyed hashes, and the way back for what was sent."""

from hilum.errors import ServerError
from hilum.pseudonyms import Pseudonyms


class Aliases:
    """The names that one server knows one study by.

    The same key gives the same names, so a server may tell two studies of one patient from those of
    two; without the key nobody gets from a name to what it stands for. Only what was named here is
    found again.
    """

    def __init__(self, key: str) -> None:
        self._pseudonyms = Pseudonyms(key)
        self._originals: dict[str, str] = {}

    def uid(self, original: str) -> str:
        """What stands for a UID: one under the 2.25 root (PS3.5 B.2)."""
        alias = f"2.25.{int(self._pseudonyms.of('uid', original), 16)}"
        self._originals[alias] = original
        return alias

    def patient(self, patient_id: str, *issuer: str) -> str:
        """What stands for a patient, 32 letters and digits; "" for one without an ID."""
        return self._pseudonyms.of("patient", patient_id, *issuer) if patient_id else ""

    def original(self, alias: str) -> str:
        """The UID that `alias` stands for; `ServerError` for what was not sent."""
        try:
            return self._originals[alias]
        except KeyError:
            raise ServerError(
                "the answer is about an image that the server was not given"
            ) from None
