"""A receiver of HL7 messages: it answers as it is told, and keeps what it took by MSH-10.

It reads messages with another library than Hilum writes them with.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

import hl7

from tests.answering import answering

ACCEPTS = ("AA", "")
SILENT = ("", "")  # it takes the message and does not answer
HANGS_UP = ("-", "")


@dataclass
class Receiver:
    """Gives the next of `answers` (MSA-1, segments beside it) to each message, the last for ever.

    `came` are the messages in the order in which they came, repeats too; `kept` are those that it
    has taken, as a program that knows repeats by MSH-10 keeps them. `afterwards` is a second answer
    to each, and `end` what stands after every one. With `instead`, it sends what that makes of
    MSH-10, frames and all, and hangs up.
    """

    answers: list[tuple[str, str]] = field(default_factory=lambda: [ACCEPTS])
    answers_another: bool = False
    afterwards: str = ""
    end: bytes = b"\x1c\r"
    instead: Callable[[str], bytes] | None = None
    came: list[bytes] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    port: int = 0

    def answer(self, message: bytes) -> bytes | None:
        parsed = hl7.parse(message.decode())
        self.came.append(message)
        verdict, more = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        control_id = str(parsed.segment("MSH")(10))
        if self.instead:
            return self.instead(control_id)
        if verdict in ("AA", "CA", ""):
            self.kept[control_id] = message
        if verdict == "-":
            return None
        if not verdict:
            return b""
        ack = f"MSH|^~\\&|RIS||HILUM||20260304||ACK^R01^ACK|A1|P|2.5.1\rMSA|{verdict}|{control_id}"
        said = f"{ack}{more}\r".encode()
        late = said.replace(control_id.encode(), b"an-earlier-one")
        if self.afterwards:
            later = said.replace(f"MSA|{verdict}".encode(), f"MSA|{self.afterwards}".encode())
            said += self.end + b"\x0b" + later
        return b"noise\x0b" + late + self.end + b"\x0b" + said if self.answers_another else said


@contextmanager
def receiving(receiver: Receiver, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """It listens on `receiver.port`, or on a free one, until this ends."""

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            try:
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                _converse(connection, receiver)
            except OSError:  # who called is gone, or does not speak TLS
                return

    class Server(ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", receiver.port), Connection)
    with answering(server) as address:
        receiver.port = int(address.rpartition(":")[2])
        yield receiver


def _converse(connection: socket.socket, receiver: Receiver) -> None:
    buffer = b""
    while piece := connection.recv(65536):
        buffer += piece
        while b"\x1c\r" in buffer:
            frame, _, buffer = buffer.partition(b"\x1c\r")
            answer = receiver.answer(frame.partition(b"\x0b")[2])
            if receiver.instead and answer:
                connection.sendall(answer)
            if receiver.instead or answer is None:
                connection.shutdown(socket.SHUT_RDWR)
                return
            if answer:
                connection.sendall(b"\x0b" + answer + receiver.end)
