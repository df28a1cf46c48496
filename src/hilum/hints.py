"""Wake-up hints between our processes: datagrams that may be lost, never the truth.

The inbox on disk is the truth; a hint only saves waiting for the next sweep.
"""

import contextlib
import json
import os
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAXIMUM_BYTES = 65_536


def gateway_address(data: Path) -> Path:
    """The socket at which the gateway takes hints."""
    return data / "hints.sock"


def wake_address(data: Path, source: str) -> Path:
    """The socket at which the process of a source waits to be woken up."""
    return data / f"wake-{source}.sock"


@contextlib.contextmanager
def _short(address: Path) -> Iterator[str]:
    """`address` by way of its open folder: the kernel takes no more than 107 bytes for a socket."""
    folder = os.open(address.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


class HintSender:
    """Sends hints to `address` (a Unix datagram socket); never blocks, never raises."""

    def __init__(self, address: Path) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, event: str, **fields: Any) -> bool:
        """Tell the gateway about `event`, if it listens; whether it has got it."""
        hint = json.dumps({"event": event, **fields}).encode()
        with contextlib.suppress(OSError), _short(self._address) as short:
            self._socket.sendto(hint, short)
            return True
        return False

    def close(self) -> None:
        """Send no more."""
        self._socket.close()


class HintReceiver:
    """Receives hints at `address`.

    A thread of its own empties the socket: the kernel queues no more than about ten datagrams.
    """

    def __init__(self, address: Path) -> None:
        address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with _short(address) as short:
            self._socket.bind(short)
        self._closed = False
        self._hints: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="hints", daemon=True).start()

    def receive(self, timeout: float) -> list[dict[str, Any]]:
        """Every hint waiting, or those that arrive within `timeout` seconds; maybe none."""
        hints = []
        try:
            hints.append(self._hints.get(timeout=timeout))
            while True:
                hints.append(self._hints.get_nowait())
        except queue.Empty:
            return hints

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._socket.shutdown(socket.SHUT_RD)  # wakes the thread, which closes the socket

    def _read(self) -> None:
        with self._socket:
            while not self._closed:
                if datagram := self._socket.recv(MAXIMUM_BYTES):
                    with contextlib.suppress(ValueError):  # only a hint
                        self._hints.put(json.loads(datagram))
