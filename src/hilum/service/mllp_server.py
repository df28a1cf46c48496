"""A listener for HL7 messages by MLLP: bounded connections, and only from those on the list."""

import ipaddress
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hilum.config.updates import PatientUpdates
from hilum.sources.subject import CertificateSubject
from hilum.transport.mllp import END, PIECE, START, Frames
from hilum.transport.tls import RenewedContext

HANDSHAKE_SECONDS = 10.0
MESSAGE_SECONDS = 30.0  # for a message to come whole, and for its answer to be taken
IDLE_SECONDS = 3600.0  # between two messages; senders keep connections for days

log = logging.getLogger(__name__)


class MllpServer:
    """Listens by `settings`; `answer` gives the answer to each message."""

    def __init__(
        self,
        settings: PatientUpdates,
        answer: Callable[[bytes], bytes],
        message_seconds: float = MESSAGE_SECONDS,
    ) -> None:
        self._settings = settings
        self._answer = answer
        self._seconds = message_seconds
        self._networks = [
            ipaddress.ip_network(host, strict=False) for host in settings.allowed_hosts
        ]
        self._heard: dict[socket.socket, float] = {}  # when each connection was last heard
        self._lock = threading.Lock()
        self._context = (
            RenewedContext(settings.tls, "patient_updates.tls") if settings.tls else None
        )
        self._listener = socket.create_server((settings.host, settings.port), backlog=32)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve_until(self, stop: int) -> None:
        """Accept connections until `stop`, a file descriptor, can be read; then end all of them."""
        with self._listener:
            waits: list[Any] = [self._listener, stop]
            while stop not in select.select(waits, [], [])[0]:
                try:
                    connection, (address, *_) = self._listener.accept()
                except OSError:  # gone again, or no more files: the next one may come through
                    stopped = select.select([stop], [], [], 0.1)[0]
                    if stopped:
                        break
                    continue
                self._take(connection, address)
        for connection in list(self._heard):
            _end(connection)

    def _take(self, connection: socket.socket, address: str) -> None:
        host = ipaddress.ip_address(address)
        if self._networks and not any(host in network for network in self._networks):
            text = "rejected: address %s is not among patient_updates.allowed_hosts"
            log.warning(text, host)
            connection.close()
            return
        with self._lock:
            if len(self._heard) >= self._settings.max_connections:
                quietest = min(self._heard, key=self._heard.__getitem__)
                del self._heard[quietest]
                _end(quietest)
                log.warning("too many connections: the one that was quiet for longest is ended")
            self._heard[connection] = time.monotonic()
        arguments = (connection, address)
        threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, plain: socket.socket, address: str) -> None:
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.settimeout(HANDSHAKE_SECONDS)
            connection = self._encrypted(plain, address)
            if connection:
                with connection:
                    self._converse(plain, connection)
        except OSError as error:
            log.info("a connection of %s ended: %s", address, type(error).__name__)
        finally:
            with self._lock:
                self._heard.pop(plain, None)
            plain.close()

    def _encrypted(self, plain: socket.socket, address: str) -> socket.socket | None:
        """The connection as it is used; None if the certificate is not on the list."""
        if not self._context:
            return plain
        # `plain` stays the key of the connection, and can still be ended by others
        connection = self._context.now().wrap_socket(plain.dup(), server_side=True)
        allowed = self._settings.allowed_certificates
        if allowed and not (subject := _subject(connection)).is_among(allowed):
            text = "rejected: the certificate of %s (%s) is not among allowed_certificates"
            log.warning(text, subject, address)
            connection.close()
            return None
        return connection

    def _converse(self, plain: socket.socket, connection: socket.socket) -> None:
        frames = Frames()
        deadline = time.monotonic() + IDLE_SECONDS
        while not frames.is_too_large:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = connection.recv(PIECE)
            if not piece:
                return
            self._heard[plain] = time.monotonic()
            had_begun = frames.has_begun
            frames.add(piece)
            while (message := frames.next()) is not None:
                connection.settimeout(self._seconds)
                connection.sendall(START + self._answer(message) + END)
                had_begun = False
            if not frames.has_begun:
                deadline = time.monotonic() + IDLE_SECONDS
            elif not had_begun:
                deadline = time.monotonic() + self._seconds
        log.warning("a connection was ended: a message is too large to be taken")


def _subject(connection: ssl.SSLSocket) -> CertificateSubject:
    shown: Any = (connection.getpeercert() or {}).get("subject", ())
    return CertificateSubject(tuple(pair for part in shown for pair in part))


def _end(connection: socket.socket) -> None:
    """End a connection that another thread waits on."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
