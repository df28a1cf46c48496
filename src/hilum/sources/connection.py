"""The receiver's TCP connections, watched while bytes arrive: nothing absurd is ever allocated."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hilum.transport.dimse import MAXIMUM_PDU, tune

HEADER = 6  # PDU type, reserved byte, length of the rest (PS3.8 9.3.1)
LONGEST_PDU = 2 * MAXIMUM_PDU  # association requests may exceed the maximum, absurd lengths do
PDU_SECONDS = 60.0  # longest time for one PDU to arrive


class Traffic:
    """The open connections, and how many bytes of objects are on their way in all of them."""

    def __init__(self, largest_objects: int) -> None:
        self._limit = largest_objects
        self._under_way = 0
        self._open: set[Connection] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: "Connection") -> None:
        with self._lock:
            self._open.add(connection)

    def leave(self, connection: "Connection") -> None:
        with self._lock:
            self._open.discard(connection)

    def admit(self, connection: "Connection", limit: int) -> bool:
        """Let `connection` have an association, unless `limit` others have one."""
        with self._lock:
            connection.admitted = sum(other.admitted for other in self._open) < limit
            return connection.admitted

    def claim(self, size: int) -> bool:
        """Make room for `size` bytes, or say that there is none."""
        with self._lock:
            if self._under_way + size > self._limit:
                return False
            self._under_way += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._under_way -= size

    def cut_all(self) -> None:
        """End every connection, wherever its association stands."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.shutdown(socket.SHUT_RDWR)


class Connection(socket.socket):
    """An accepted connection which follows the PDU framing and ends when a peer overdoes it."""

    def __init__(self, accepted: socket.socket, traffic: Traffic) -> None:
        super().__init__(fileno=accepted.detach())
        tune(self, PDU_SECONDS)
        self.on_close: Callable[[], None] = lambda: None
        self.admitted = False
        self.refusal = ""  # why we ended it, in plain words
        self._traffic = traffic
        self._header = b""
        self._left = 0
        self._claimed = 0
        self._deadline = 0.0
        traffic.enter(self)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        if len(data) <= self._left:
            self._left -= len(data)
            if self._left and time.monotonic() > self._deadline:
                self._refuse(f"one PDU took longer than {PDU_SECONDS:.0f} s")
        else:
            self._follow(data)
        return data

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        # Every message is answered before the next one (no asynchronous operations window).
        self._release()
        return super().send(data, flags)

    def shutdown(self, how: int, /) -> None:
        with suppress(OSError):  # the peer was quicker; close() must follow all the same
            super().shutdown(how)

    def close(self) -> None:
        if self.fileno() >= 0:
            self._traffic.leave(self)
            self._release()
            super().close()
            self.on_close()
            self.on_close = lambda: None  # it refers to the association, which refers to us

    def _release(self) -> None:
        if self._claimed:
            self._traffic.give_back(self._claimed)
            self._claimed = 0

    def _follow(self, data: bytes) -> None:
        while data:
            if self._left:
                step = min(self._left, len(data))
                self._left -= step
                data = data[step:]
                continue
            missing = HEADER - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == HEADER:
                self._begin(struct.unpack(">2xL", self._header)[0])
                self._header = b""

    def _begin(self, length: int) -> None:
        if length > LONGEST_PDU:
            self._refuse(f"announced a PDU of {length} bytes, {LONGEST_PDU} are allowed")
        if not self._traffic.claim(length):
            self._refuse("the objects on their way need more memory than the receiver may use")
        self._claimed += length
        self._left = length
        self._deadline = time.monotonic() + PDU_SECONDS

    def _refuse(self, reason: str) -> None:
        self.refusal = reason
        self.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(reason)
