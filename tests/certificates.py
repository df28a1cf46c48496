"""A certificate for this machine that signs itself, made by OpenSSL; and programs that trust it."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum.transport import tls


@dataclass(frozen=True)
class SelfSigned:
    """Certificate and key of a server at 127.0.0.1."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "SelfSigned":
        made = cls(folder / "server.pem", folder / "server.key")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        names = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        files = ["-keyout", made.key, "-out", made.certificate]
        words = [*command.split(), *names.split(), *files]
        subprocess.run(words, check=True, capture_output=True)
        return made

    @property
    def context(self) -> ssl.SSLContext:
        """What a server speaks TLS with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """As if it were among the certificates of the system."""
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SSL_CERT_FILE", str(self.certificate))
                tls._context.cache_clear()
                yield
        finally:
            tls._context.cache_clear()
