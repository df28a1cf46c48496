"""Syslog over TLS: RFC 5424 says what a message looks like, RFC 5425 how it is sent."""

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from hilum.config.audit import SyslogSettings
from hilum.transport.tls import client_context

PRIORITY = 10 * 8 + 5  # security messages, normal but significant (PS3.15 A.6)
MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
PIECE = 1 << 16  # bytes that are received at once
UTF_8 = b"\xef\xbb\xbf"  # RFC 5424 6.4: what follows is UTF-8


def syslog_message(at: float, text: bytes) -> bytes:
    """`text`, in UTF-8, as the message of something that happened at `at` (s since 1970)."""
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    host = "".join(c for c in socket.gethostname() if "!" <= c <= "~")[:255] or "-"
    header = f"<{PRIORITY}>1 {when} {host} hilum {os.getpid()} {MESSAGE_ID} - "
    return header.encode() + UTF_8 + text


def send(settings: SyslogSettings, messages: Sequence[bytes]) -> None:
    """Send messages over one connection; they have arrived when this returns.

    Syslog knows no receipts. So the connection is closed after each portion: the other side has to
    answer our close_notify with its own (RFC 5425 4.4), and reads that only after all before it.

    Raises
    ------
    OSError
        They may not have arrived, or only some.
    """
    address = settings.host, settings.port
    context = client_context(settings.tls)
    with socket.create_connection(address, settings.timeout_seconds) as plain:
        connection = _Connection(plain, context, settings.host)
        connection.step(connection.tls.do_handshake)
        for one in messages:
            connection.step(partial(connection.tls.write, b"%d %b" % (len(one), one)))
        connection.end()


class _Connection:
    """TLS on a socket, with the end of it in our own hands.

    `SSLSocket.unwrap` of Python returns, too, where the other side has not answered close_notify.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def step(self, step: Callable[[], object]) -> None:
        """Do `step`, with all that the two sides have to say to each other for it."""
        is_done = False
        while not is_done:
            with suppress(ssl.SSLWantReadError):
                step()
                is_done = True
            with suppress(ConnectionError):  # what it has said before tells why it has gone
                self._plain.sendall(self._outgoing.read())
            if not is_done:
                self._receive()

    def end(self) -> None:
        """Send close_notify, and wait for that of the other side."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        with suppress(ssl.SSLZeroReturnError):  # raised by it
            while True:
                self.step(partial(self.tls.read, PIECE))

    def _receive(self) -> None:
        received = self._plain.recv(PIECE)
        if not received:
            raise ConnectionResetError("the connection was ended")
        self._incoming.write(received)
