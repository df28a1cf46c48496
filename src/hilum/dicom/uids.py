"""Derived UIDs: the same inputs always give the same UID, a changed input a new one."""

import hashlib

MAXIMUM_INTEGER_BITS = 128


def derived_uid(*parts: str) -> str:
    """UID under the 2.25 root (PS3.5 B.2) from a SHA-256 of `parts`; at most 44 characters."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[: MAXIMUM_INTEGER_BITS // 8], 'big')}"


IMPLEMENTATION_CLASS_UID = derived_uid("hilum", "implementation-class")
IMPLEMENTATION_VERSION_NAME = "HILUM_0_1"
MANUFACTURER = "Hilum"
