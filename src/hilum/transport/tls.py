"""TLS contexts, from settings (PS3.15 B.12, BCP 195 in RFC 9325: TLS 1.2 or newer)."""

import functools
import logging
import socket
import ssl
from pathlib import Path
from typing import NamedTuple

from hilum.config.tls import ListenerTls, Tls
from hilum.errors import ConfigurationError
from hilum.transport.our_side import SETTINGS, OurSide

log = logging.getLogger(__name__)

TOO_OLD = "it offers no TLS 1.2 or newer: update it, or have its maker do so"
ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"  # of TLS 1.2; RFC 9325 4.2


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """How we connect: TLS 1.2 or newer, and the certificate of the other side is checked.

    Without `ca_file` the system's store is trusted, where a hospital adds its own. Files that have
    changed are read anew.

    Raises
    ------
    ConfigurationError
        A file cannot be used now; it may be half of a renewal, whose other half comes in a moment.
    """
    tls = tls or Tls()
    try:
        return _context(ssl.Purpose.SERVER_AUTH, tls, *map(_version, _files(tls)))
    except OSError as error:  # SSLError is one, too
        text = f"a file of tls cannot be used ({error.strerror or 'no PEM'})"
        cure = "put a certificate and its own key into the places that the settings name"
        raise ConfigurationError(f"{text}: {cure}") from error


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """How we are called: the same, and with `ca_file` callers must show a certificate (mutual)."""
    return _context(ssl.Purpose.CLIENT_AUTH, tls, *map(_version, _files(tls)))


class RenewedContext:
    """The TLS context of a listener, made anew of its files for each connection.

    Where the files cannot be used, as in the middle of a renewal, the last context that was made
    stays in use, and the log says so under `name`, that of the settings.
    """

    def __init__(self, tls: ListenerTls, name: str) -> None:
        """Raises `OSError` if the files cannot be used at the start."""
        self._tls = tls
        self._name = name
        self._last = listener_context(tls)

    def now(self) -> ssl.SSLContext:
        """The context for the next connection."""
        try:
            self._last = listener_context(self._tls)
        except OSError as error:  # SSLError is one, too
            why = error.strerror or "no PEM"
            log.error("%s: the new files cannot be used: %s", self._name, why)
        return self._last


def _files(tls: Tls) -> tuple[Path | None, ...]:
    return tls.ca_file, tls.certificate_file, tls.key_file


@functools.lru_cache(maxsize=64)
def _context(purpose: ssl.Purpose, tls: Tls, *_versions: tuple[int, int]) -> ssl.SSLContext:
    """Reading the certificates of the system takes 0.07 s."""
    context = ssl.create_default_context(purpose, cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if purpose is ssl.Purpose.CLIENT_AUTH:
        context.verify_mode = ssl.CERT_REQUIRED if tls.ca_file else ssl.CERT_NONE
    else:
        context.check_hostname = tls.check_host
    if tls.certificate_file:
        # without a password, OpenSSL would ask for one at the terminal and wait
        context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    return context


def _version(file: Path | None) -> tuple[int, int]:
    if file is None:
        return 0, 0
    status = file.stat()
    return status.st_mtime_ns, status.st_ino


class TlsProblem(NamedTuple):
    """What is wrong with the encryption of a connection, in words with the cure."""

    text: str
    is_certain: bool = True  # else the other side may only be busy, or about to start


def problem_of_tls(
    host: str, port: int, tls: Tls | None, seconds: float, our_side: OurSide = SETTINGS
) -> TlsProblem | None:
    """Why no connection to a DICOM node comes about, if it has to do with TLS."""
    try:
        with socket.create_connection((host, port), seconds) as plain:
            return _problem(plain, host, tls, our_side)
    except (OSError, ConfigurationError):
        return None  # nobody listens, or our files are renewed just now


def _problem(
    plain: socket.socket, host: str, tls: Tls | None, our_side: OurSide
) -> TlsProblem | None:
    context = client_context(tls) if tls else _trusts_everybody()
    try:
        with context.wrap_socket(plain, server_hostname=host) as connection:
            if tls is None:
                cure = f"{our_side.set_tls}{our_side.then}"
                return TlsProblem(f"it speaks TLS, and we call it without: {cure}")
            return _said_afterwards(connection, our_side)
    except ssl.SSLError as error:
        if tls is None:
            return None  # it does not speak TLS either
        if isinstance(error, ENDED):
            return _broken_off(our_side)
        return TlsProblem(meaning_of(error, our_side))
    except TimeoutError:
        return None  # it is too busy even for a greeting
    except OSError:
        return _broken_off(our_side) if tls else None


def _said_afterwards(connection: ssl.SSLSocket, our_side: OurSide) -> TlsProblem | None:
    """TLS 1.3 says only after the handshake what it lacks of us."""
    try:
        connection.recv(1)
    except ssl.SSLError as error:
        return None if isinstance(error, ENDED) else TlsProblem(meaning_of(error, our_side))
    except OSError:
        return None  # it is silent, or gone: what it does with TLS is right
    return None


def _broken_off(our_side: OurSide) -> TlsProblem:
    """What answers in plain, or a proxy whose archive is down, ends the connection."""
    return TlsProblem(f"it broke off the TLS handshake; perhaps {_plain(our_side)}", False)


def _plain(our_side: OurSide) -> str:
    cure = f"turn TLS on there, or {our_side.without_tls} here{our_side.then}"
    return f"it does not speak TLS, and we do: {cure}"


def meaning_of(error: ssl.SSLError, our_side: OurSide = SETTINGS) -> str:
    """What an error of TLS says about the other side, or about us; with the cure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, our_side)
    return _alert(error.reason or "", our_side)


def _distrust(error: ssl.SSLCertVerificationError, our_side: OurSide) -> str:
    if "match" in error.verify_message:
        cure = f"call it by the name in its certificate{our_side.or_check_no_name}{our_side.then}"
        return f"its certificate is made out to another name: {cure}"
    if "expired" in error.verify_message:
        return "its certificate has expired: renew it there"
    cure = f"name who signed it in {our_side.authority}{our_side.then}"
    return f"its certificate is not trusted ({error.verify_message}): {cure}"


def _alert(reason: str, our_side: OurSide) -> str:
    """What follows from the reason of an error of TLS."""
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"it wants a certificate of ours: {our_side.certificate}{our_side.then}"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "it does not trust our certificate: name there who signed it"
    if "EXPIRED" in reason:
        return "our certificate has expired: put a new one into its place"
    if "PROTOCOL" in reason:
        return TOO_OLD
    return _plain(our_side) if "VERSION" in reason or not reason else f"TLS failed: {reason}"


def _trusts_everybody() -> ssl.SSLContext:
    """To find out whether somebody speaks TLS; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
