"""The settings of the DICOM listener."""

from pydantic import Field, model_validator

from hilum.config.fields import AETitle, Network, Port, Settings
from hilum.config.tls import ListenerTls


class Receiver(Settings):
    """The DICOM listener that scanners and PACS send to."""

    ae_title: AETitle = Field("HIPPOAI", description="AE title that the receiver answers to.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(11112, description="DICOM port (104 and 106 need root).")
    allowed_callers: tuple[AETitle, ...] = Field(
        (), description="Calling AE titles that may send; empty allows every one."
    )
    allowed_hosts: tuple[Network, ...] = Field(
        (), description="Addresses or networks that may connect; empty allows every one."
    )
    tls: ListenerTls | None = Field(
        None, description="Encryption by TLS; without it the receiver takes what is not encrypted."
    )
    allowed_certificates: tuple[str, ...] = Field(
        (),
        description="Subjects of certificates that may send, whole as in `CN=MR1,O=Hospital` or "
        "the common name alone; empty allows every one that tls.ca_file trusts.",
    )
    assessments_from: tuple[AETitle, ...] = Field(
        (),
        description="Calling AE titles whose Key Object Selections and verified reports count as "
        "what readers say of our results; empty means none.",
    )
    require_called_ae_title: bool = Field(
        True, description="Reject associations that call another AE title."
    )
    max_associations: int = Field(
        32,
        ge=1,
        description="Most associations at one time; a quarter of them is kept for hosts that have "
        "sent images since the start.",
    )
    max_associations_per_host: int = Field(
        16,
        ge=1,
        description="Most associations of one host at one time, so that others get in, too.",
    )
    memory_mb: int = Field(
        2048,
        ge=256,
        description="Memory in MiB that the receiver may take for what it receives; no source "
        "fetches more than a quarter of it at once.",
    )
    low_water_mb: int = Field(
        512, ge=0, description="Free disk space in MiB below which images are refused (0xA700)."
    )

    @property
    def title_and_place(self) -> str:
        """How a sender calls it, in words."""
        return f"{self.ae_title} on {self.host}:{self.port}"

    @model_validator(mode="after")
    def _has_certificates_to_look_at(self) -> "Receiver":
        if self.allowed_certificates and not (self.tls and self.tls.ca_file):
            raise ValueError("allowed_certificates needs tls.ca_file: who signed them")
        return self

    @model_validator(mode="after")
    def _lets_in_assessments(self) -> "Receiver":
        shut_out = sorted(set(self.assessments_from) - set(self.allowed_callers))
        if self.allowed_callers and shut_out:
            names = ", ".join(shut_out)
            text = f"assessments_from names {names}, whom allowed_callers does not let in"
            raise ValueError(f"{text}: add it there")
        return self
