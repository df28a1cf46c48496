"""Minimal Lower Layer Protocol, release 1: how HL7 messages are framed on a connection.

A message stands between 0x0B and 0x1C 0x0D. One is sent at a time, and its answer awaited.
"""

import socket
import time

from hilum.config.tls import Tls
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.transport.tls import client_context, problem_of_tls

START, END = b"\x0b", b"\x1c\r"
LAST = END[:1]  # ends a message by itself: there are senders that leave out the rest
LARGEST = 1 << 20  # bytes of a message that is received
PIECE = 1 << 16  # bytes that are read at once
KEPT = 2000  # bytes of what an other side says, to show a person who looks for the cause


class NoAnswer(Exception):  # noqa: N818 - it says what happened
    """A message was sent, and no answer to it came; the text says why."""


class UnclearAnswer(NoAnswer):
    """Something came, and is no answer to it; the text says what it is."""


class Frames:
    """Finds the messages in what comes on a connection; what stands between them is left out."""

    def __init__(self) -> None:
        self._bytes = b""

    def add(self, piece: bytes) -> None:
        """Take what came next."""
        self._bytes += piece

    def next(self) -> bytes | None:
        """The next whole message, None as long as there is none."""
        begin = self._bytes.find(START)
        self._bytes = self._bytes[begin:] if begin >= 0 else b""
        end = self._bytes.find(LAST)
        if end < 0:
            return None
        found, self._bytes = self._bytes[1:end], self._bytes[end + len(LAST) :]
        return found

    @property
    def has_begun(self) -> bool:
        """Whether a part of a message has come."""
        return bool(self._bytes)

    @property
    def is_too_large(self) -> bool:
        return len(self._bytes) > LARGEST


class MllpClient:
    """A connection to `name` at `host` and `port`; each wait takes `seconds` at most.

    Raises `DeliveryDelayed` while it is made if nobody answers, and `DeliveryRefused`, with the
    cure, if a person has to do something first. `came` is the beginning of what the other side has
    said, also what is no message.
    """

    def __init__(self, name: str, host: str, port: int, tls: Tls | None, seconds: float) -> None:
        self._name = f"{name} at {host}:{port}"
        self._seconds = seconds
        self._frames = Frames()
        self.came = b""
        context = client_context(tls) if tls else None
        try:
            plain = socket.create_connection((host, port), seconds)
        except OSError as error:
            why = error.strerror or "no answer"
            raise DeliveryDelayed(f"{self._name} does not answer: {why}") from error
        try:
            self._socket = context.wrap_socket(plain, server_hostname=host) if context else plain
        except OSError as error:
            plain.close()
            problem = problem_of_tls(host, port, tls, seconds)
            if problem and problem.is_certain:
                raise DeliveryRefused(f"{self._name}: {problem.text}") from error
            why = problem.text if problem else "the TLS handshake failed"
            raise DeliveryDelayed(f"{self._name}: {why}") from error

    def close(self) -> None:
        self._socket.close()

    def send(self, message: bytes) -> None:
        """Send one message; `NoAnswer` if the connection breaks, for a part may have arrived."""
        try:
            self._socket.settimeout(self._seconds)
            self._socket.sendall(START + message + END)
        except OSError as error:
            raise NoAnswer("the connection broke while it was sent") from error

    def hear(self, deadline: float) -> bytes:
        """The next message of the other side, until `deadline` (of `time.monotonic`).

        What stands outside a frame is left out. Raises `NoAnswer`, and `UnclearAnswer` if there was
        something before on this connection.
        """
        while (found := self._frames.next()) is None:
            if self._frames.is_too_large:
                raise UnclearAnswer(f"its answer is larger than {LARGEST >> 20} MiB")
            try:
                piece = self._piece(deadline)
            except NoAnswer as error:
                if self.came:
                    raise UnclearAnswer("its answer does not stand in a frame of MLLP") from error
                raise
            self.came = (self.came + piece)[:KEPT]
            self._frames.add(piece)
        return found

    def _piece(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"no answer came within {self._seconds:.0f} s")
        self._socket.settimeout(left)
        try:
            piece = self._socket.recv(PIECE)
        except TimeoutError as error:
            raise NoAnswer(f"no answer came within {self._seconds:.0f} s") from error
        except OSError as error:
            raise NoAnswer("the connection broke before an answer came") from error
        if not piece:
            raise NoAnswer("it ended the connection without an answer")
        return piece
