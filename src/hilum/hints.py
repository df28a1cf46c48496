"""Wake-up hints between our processes: datagrams that may be lost, never the truth.

The inbox on disk is the truth; a hint only saves waiting for the next sweep.
"""

import json
import socket
from pathlib import Path
from typing import Any

MAXIMUM_BYTES = 65_536


class HintSender:
    """Sends hints to `address` (a Unix datagram socket); never blocks, never raises."""

    def __init__(self, address: Path) -> None:
        self._address = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, event: str, **fields: Any) -> None:
        """Tell the gateway about `event`, if it listens."""
        try:
            self._socket.sendto(json.dumps({"event": event, **fields}).encode(), self._address)
        except OSError:
            return


class HintReceiver:
    """Receives hints at `address`; iterate `receive()` in a loop of one thread."""

    def __init__(self, address: Path) -> None:
        address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(str(address))

    def receive(self, timeout: float) -> list[dict[str, Any]]:
        """Every hint waiting, or those that arrive within `timeout` seconds; maybe none."""
        hints = []
        self._socket.settimeout(timeout)
        try:
            while True:
                hints.append(json.loads(self._socket.recv(MAXIMUM_BYTES)))
                self._socket.settimeout(0)
        except (TimeoutError, BlockingIOError):
            return hints

    def close(self) -> None:
        self._socket.close()
