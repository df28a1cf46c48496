"""TLS as a section of hilum.toml has it: whom to trust, and who we are."""

import shlex
import ssl
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from hilum.config.fields import FileIfAny, Settings
from hilum.errors import ConfigurationError
from hilum.privacy import secret_in


class Tls(Settings):
    """Encryption of a connection, by files in PEM form."""

    ca_file: FileIfAny = Field(
        None,
        description="Certificates that are trusted; empty means those that the system trusts.",
        examples=["/etc/hilum/ca.pem"],
    )
    certificate_file: FileIfAny = Field(
        None, description="Our own certificate, which the other side may ask for."
    )
    key_file: FileIfAny = Field(
        None, description="Private key of our certificate, which only our user may read."
    )

    check_host: bool = Field(
        True,
        description="Whether the certificate of whoever is called has to name the host or address "
        "that is called.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "Tls":
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: name both or none")
        return self

    def check(self) -> None:
        """Read the files; `ConfigurationError`, with the cure, if one cannot be used."""
        context = ssl.create_default_context()
        try:
            if self.ca_file:
                _readable("ca_file", self.ca_file)
                context.load_verify_locations(self.ca_file)
        except ssl.SSLError as error:
            text = f"ca_file: {self.ca_file} holds no certificate in PEM form: write one into it"
            raise ConfigurationError(text) from error
        if not self.certificate_file or not self.key_file:
            return
        _readable("certificate_file", self.certificate_file)
        try:
            secret_in(self.key_file, "the key")
            context.load_cert_chain(self.certificate_file, self.key_file, self._passphrase)
        except ConfigurationError as error:
            raise ConfigurationError(f"key_file: {error}") from error
        except ssl.SSLError as error:
            other = "MISMATCH" in str(error)
            why = "name the key of this certificate" if other else "both must be in PEM form"
            files = f"certificate_file {self.certificate_file}, key_file {self.key_file}"
            raise ConfigurationError(f"{files}: they do not fit: {why}") from error

    def _passphrase(self) -> str:
        """Asked for where the key has one."""
        key = shlex.quote(str(self.key_file))
        plain = shlex.quote(f"{self.key_file}.plain")
        raise ConfigurationError(
            f"{self.key_file} has a passphrase, which nobody types at the start of a service: "
            f"write the key without it (`openssl pkey -in {key} -out {plain}`), and name that file"
        )


class ListenerTls(Tls):
    """Encryption of connections to us. With `ca_file`, callers must show a certificate."""

    ca_file: Path | None = Field(
        None,
        description="Who may have signed the certificates of callers; empty means that callers "
        "need none.",
    )
    certificate_file: Path | None = Field(description="Our certificate, which callers check.")
    key_file: Path | None = Field(
        description="Private key of our certificate, which only our user may read."
    )


def ends_at(tls: Tls) -> float | None:
    """When our own certificate ends, in s since 1970; None if there is none."""
    if tls.certificate_file is None:
        return None
    facts: Any = ssl._ssl._test_decode_cert(str(tls.certificate_file))  # type: ignore[attr-defined]
    return float(ssl.cert_time_to_seconds(facts["notAfter"]))


def _readable(key: str, file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{key}: cannot read {file}: {error.strerror}") from error
