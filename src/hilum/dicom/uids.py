"""UIDs: what is accepted as one, and how ours are derived.

The same inputs always give the same UID, and a changed input gives a new one.
"""

import hashlib
import re

SEGMENTATION, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATION_CLASSES = (SEGMENTATION, LABEL_MAP)  # pydicom 3.0 does not know the second one
RLE_LOSSLESS = "1.2.840.10008.1.2.5"  # the transfer syntax that label maps are written in
MAXIMUM_INTEGER_BITS = 128
LONGEST_UID = 64  # characters (PS3.5 9.1)
UID_FORM = re.compile(rf"[0-9.]{{1,{LONGEST_UID}}}")


def derived_uid(*parts: str) -> str:
    """UID under the 2.25 root (PS3.5 B.2) from a SHA-256 of `parts`; at most 44 characters."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[: MAXIMUM_INTEGER_BITS // 8], 'big')}"


def is_uid(text: str) -> bool:
    """Whether `text` may stand where a UID is received: digits and dots, at most 64 of them.

    This allows the leading zeros and double dots that real devices write against PS3.5 9.1.
    """
    return UID_FORM.fullmatch(text) is not None


# Begins the UID of each study that was made up to try something, and of no other.
MADE_UP = derived_uid("made up")[:22]
IMPLEMENTATION_CLASS_UID = derived_uid("hilum", "implementation-class")
IMPLEMENTATION_VERSION_NAME = "HILUM_0_1"
MANUFACTURER = "Hilum"
