"""What both sides of a DIMSE conversation share: quiet libraries, quick sockets, SOP classes."""

import socket

from pydicom.uid import UID, AllTransferSyntaxes, ExplicitVRLittleEndian
from pynetdicom import _config

from hilum.logs import silence_libraries

VERIFICATION = "1.2.840.10008.1.1"
MAXIMUM_PDU = 1 << 18  # bytes; with the usual 16 KiB an image is dozens of round trips in Python
OUT_OF_RESOURCES = 0xA700  # what a C-STORE is answered that there is no room for (PS3.4 B.2.3)

# Deflated objects grow a thousandfold when opened; JPIP objects hold an address instead of pixels.
TRANSFER_SYNTAXES: list[str | UID] = [
    ExplicitVRLittleEndian,
    *(
        syntax
        for syntax in AllTransferSyntaxes
        if syntax != ExplicitVRLittleEndian
        and not {"Deflate", "Deflated", "JPIP"} & set(syntax.name.split())
    ),
]


def quieten_libraries() -> None:
    """Keep element values out of logs, and let pynetdicom send files without decoding them."""
    silence_libraries()
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_SEND_CHUNKED_DATASET = True


def is_storage_class(uid: str) -> bool:
    """Whether `uid` is, or may be, a Storage SOP class: private and unknown ones count."""
    sop_class = UID(uid)
    if not sop_class.type:  # not in the dictionary
        return True
    return (
        sop_class.type == "SOP Class"
        and "Storage" in sop_class.name
        and "Storage Commitment" not in sop_class.name
        and "Media Storage" not in sop_class.name
    )


def tune(connection: socket.socket, timeout: float) -> None:
    """Send small messages at once: with Nagle's algorithm each image waits 40 ms (RFC 896).

    `timeout` in seconds ends a wait for the rest of a PDU, which would block for ever.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(timeout)
