"""The receiver's TCP connections, watched while bytes arrive: nothing absurd is ever allocated."""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hilum.rejections import RejectionKind
from hilum.sources.subject import CertificateSubject
from hilum.sources.traffic import Traffic
from hilum.transport.dimse import MAXIMUM_PDU, tune

HEADER = 6  # PDU type, reserved byte, length of the rest (PS3.8 9.3.1)
PDU_TYPES = range(1, 8)
LONGEST_PDU = 2 * MAXIMUM_PDU  # association requests may exceed the maximum, absurd lengths do
TLS_HANDSHAKE = 0x16  # first byte of a connection that begins with TLS (RFC 8446 5.1)
PDU_SECONDS = 60.0  # longest time for one PDU to arrive


@dataclass(frozen=True)
class Cut:
    """Why we ended a connection, in plain words."""

    kind: RejectionKind
    reason: str


class Connection(socket.socket):
    """An accepted connection that follows the PDU framing and ends when a peer breaks it.

    Call `watch` first: with TLS it is made by an SSL context, in another way than without. That
    one reads and closes it before, where the peer is gone already.
    """

    is_watched = False

    def watch(self, host: str, traffic: Traffic) -> None:
        """Begin: count the connection of `host` in the `traffic`."""
        tune(self, PDU_SECONDS)
        self.host = host
        self.opened_at = self.last_active = time.monotonic()
        self.requested = self.admitted = self.in_message = False
        self.on_close: Callable[[], None] = lambda: None
        self.why_cut: Cut | None = None
        self._traffic = traffic
        self._header = b""
        self._left = 0
        self._claimed = 0
        self._deadline = 0.0
        self.is_watched = True
        traffic.enter(self)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = self._received(bufsize, flags)
        if not self.is_watched:
            return data
        self.last_active = time.monotonic()
        if len(data) <= self._left:
            self._left -= len(data)
            if self._left and self.last_active > self._deadline:
                self._refuse(
                    RejectionKind.PROTOCOL, f"one PDU took longer than {PDU_SECONDS:.0f} s"
                )
        else:
            self._follow(data)
        return data

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        # Every message is answered before the next one (no asynchronous operations window).
        self.release()
        self.in_message = False
        self.last_active = time.monotonic()
        return super().send(data, flags)

    def subject(self) -> CertificateSubject:
        """Whose certificate the caller has shown; nobody's without TLS."""
        return CertificateSubject()

    def release(self) -> None:
        """Note that what was received so far needs no memory any longer."""
        if self._claimed:
            self._traffic.give_back(self._claimed)
            self._claimed = 0

    def cut(self, kind: RejectionKind, reason: str) -> None:
        """End the connection, from whatever thread, and remember why."""
        self.why_cut = self.why_cut or Cut(kind, reason)
        self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how: int, /) -> None:
        with suppress(OSError):  # the peer was quicker; close() must follow all the same
            super().shutdown(how)

    def close(self) -> None:
        if not self.is_watched:
            super().close()
        elif self.fileno() >= 0:
            self._traffic.leave(self)
            self.release()
            super().close()
            self.on_close()
            self.on_close = lambda: None  # it refers to the association, which refers to us

    def _received(self, bufsize: int, flags: int) -> bytes:
        return super().recv(bufsize, flags)

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
                self._begin(*struct.unpack(">BxL", self._header))
                self._header = b""

    def _begin(self, pdu_type: int, length: int) -> None:
        if pdu_type not in PDU_TYPES:
            text = "it speaks TLS, and this port does not: turn TLS off there, or set receiver.tls"
            if pdu_type != TLS_HANDSHAKE:
                text = "it does not speak DICOM (HTTP, perhaps): correct the settings there"
            self._refuse(RejectionKind.PROTOCOL, text)
        if length > LONGEST_PDU:
            text = f"it announced a PDU of more than {LONGEST_PDU} bytes"
            self._refuse(RejectionKind.PROTOCOL, f"{text}: correct the sender")
        if not self._traffic.claim(length):
            text = "the objects on their way need more memory than the receiver may use"
            self._refuse(RejectionKind.ROOM, f"{text}: raise receiver.memory_mb")
        self._claimed += length
        self._left = length
        self._deadline = time.monotonic() + PDU_SECONDS
        self.in_message = True

    def _refuse(self, kind: RejectionKind, reason: str) -> None:
        self.cut(kind, reason)
        raise ConnectionAbortedError(reason)


class TlsConnection(Connection, ssl.SSLSocket):  # type: ignore[misc] # other names of arguments
    """The same with TLS. The handshake is made with the first bytes, in the thread that reads."""

    def subject(self) -> CertificateSubject:
        try:
            facts: Any = self.getpeercert() or {}
        except ValueError:  # the handshake has not ended
            return CertificateSubject()
        return CertificateSubject(
            tuple(part for parts in facts.get("subject", ()) for part in parts)
        )

    def _received(self, bufsize: int, flags: int) -> bytes:
        try:
            return super()._received(bufsize, flags)
        except ssl.SSLEOFError:
            return b""
        except ssl.SSLError as error:
            self._refuse(RejectionKind.PROTOCOL, _in_words(error))
            raise


def _in_words(error: ssl.SSLError) -> str:
    """What went wrong in a handshake, with the cure."""
    reason = error.reason or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "BAD_RECORD_TYPE"):
        return "it does not speak TLS, and this port does: turn TLS on there"
    if "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reason:
        return "it shows no certificate: give it one that receiver.tls.ca_file trusts"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "its certificate is not trusted: name who signed it in receiver.tls.ca_file"
    if ("ALERT" in reason and "CERTIFICATE" in reason) or "UNKNOWN_CA" in reason:
        return "it does not trust our certificate: name there who signed it"
    if "PROTOCOL" in reason or "CIPHER" in reason:
        return "it offers no TLS 1.2 or newer with a cipher of RFC 9325: update it"
    return f"the TLS connection failed ({reason or type(error).__name__}): look into its log"
