"""TLS contexts, from settings (PS3.15 B.12, BCP 195 in RFC 9325: TLS 1.2 or newer)."""

import functools
import socket
import ssl
from pathlib import Path

from hilum.config.tls import ListenerTls, Tls
from hilum.errors import RESTART

NO_TLS = "it does not speak TLS, and we do: turn TLS on there, or leave tls out here"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"  # of TLS 1.2; RFC 9325 4.2


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """How we connect: TLS 1.2 or newer, and the certificate of the other side is checked.

    Without `ca_file` the system's store is trusted, where a hospital adds its own. Files that have
    changed are read anew.
    """
    tls = tls or Tls()
    return _context(ssl.Purpose.SERVER_AUTH, tls, *map(_version, _files(tls)))


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """How we are called: the same, and with `ca_file` callers must show a certificate (mutual)."""
    return _context(ssl.Purpose.CLIENT_AUTH, tls, *map(_version, _files(tls)))


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
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    return context


def _version(file: Path | None) -> tuple[int, int]:
    if file is None:
        return 0, 0
    status = file.stat()
    return status.st_mtime_ns, status.st_ino


def problem_of_tls(host: str, port: int, tls: Tls | None, seconds: float) -> str:
    """Why no connection to a DICOM node comes about, if it has to do with TLS; with the cure."""
    try:
        with socket.create_connection((host, port), seconds) as plain:
            return _problem(plain, host, tls)
    except OSError:
        return ""  # nobody listens: it has nothing to do with TLS


def _problem(plain: socket.socket, host: str, tls: Tls | None) -> str:
    context = client_context(tls) if tls else _trusts_everybody()
    try:
        with context.wrap_socket(plain, server_hostname=host) as connection:
            if tls is None:
                return f"it speaks TLS, and we call it in plain: set tls, {RESTART}"
            connection.recv(1)  # TLS 1.3 says only now what it lacks of us
            return ""
    except ssl.SSLError as error:
        return meaning_of(error, tls)
    except OSError:
        return "" if tls is None else f"{NO_TLS}, {RESTART}"


def meaning_of(error: ssl.SSLError, tls: Tls | None) -> str:
    """What an error of TLS says about the other side, or about us; with the cure."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return _alert(error.reason or "", tls)
    if "match" in error.verify_message:
        cure = "call it by the name in its certificate, or set tls.check_host = false"
        return f"its certificate is made out to another name: {cure}, {RESTART}"
    if "expired" in error.verify_message:
        return "its certificate has expired: renew it there"
    cure = f"name who signed it in tls.ca_file, {RESTART}"
    return f"its certificate is not trusted ({error.verify_message}): {cure}"


def _alert(reason: str, tls: Tls | None) -> str:
    """What follows from the reason of an error of TLS."""
    if tls is None:
        return ""  # it does not speak TLS either
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        cure = f"set tls.certificate_file and tls.key_file, {RESTART}"
        return f"it wants a certificate of ours: {cure}"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "it does not trust our certificate: name there who signed it"
    if "EXPIRED" in reason:
        return f"our certificate has expired: put a new one into its place, {RESTART}"
    return f"{NO_TLS}, {RESTART}" if "VERSION" in reason or not reason else f"TLS failed: {reason}"


def _trusts_everybody() -> ssl.SSLContext:
    """To find out whether somebody speaks TLS; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
