"""TLS contexts, from settings."""

import functools
import ssl
from pathlib import Path

from hilum.config.tls import Tls
from hilum.errors import RESTART

UNTRUSTED = (
    f"its certificate is not trusted: add who signed it to the system's certificates, {RESTART}"
)


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """How we connect: TLS 1.2 or newer, and the certificate of the other side is checked.

    Without `ca_file` the system's store is trusted, where a hospital adds its own. Files that have
    changed are read anew.
    """
    if tls is None:
        return trusted_certificates()
    files = (tls.ca_file, tls.certificate_file, tls.key_file)
    return _context(*((file, _version(file)) for file in files))


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """The system's store of certificates, where a hospital adds its own. Reading takes 0.07 s."""
    return _new_context()


@functools.lru_cache(maxsize=64)
def _context(*files: tuple[Path | None, tuple[int, int]]) -> ssl.SSLContext:
    ca_file, certificate_file, key_file = (file for file, _ in files)
    context = _new_context(ca_file)
    if certificate_file:
        context.load_cert_chain(certificate_file, key_file)
    return context


def _new_context(ca_file: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _version(file: Path | None) -> tuple[int, int]:
    if file is None:
        return 0, 0
    status = file.stat()
    return status.st_mtime_ns, status.st_ino
