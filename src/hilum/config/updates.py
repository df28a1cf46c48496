"""Changes of patient data that the hospital sends as HL7 messages, and from whom they are taken."""

from pydantic import Field, model_validator

from hilum.config.fields import Network, Port, Settings
from hilum.config.tls import ListenerTls


class PatientUpdates(Settings):
    """The listener for HL7 ADT messages, which offer corrections of patient data."""

    enabled: bool = Field(False, description="Whether Hilum listens for patient updates.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(2576, description="Port to listen on.")
    allowed_hosts: tuple[Network, ...] = Field(
        (), description="Addresses or networks that may connect."
    )
    tls: ListenerTls | None = Field(
        None, description="Encryption by TLS; without it messages come unencrypted."
    )
    allowed_certificates: tuple[str, ...] = Field(
        (),
        description="Subjects of certificates that may send, whole as in `CN=HIS,O=Hospital` or "
        "the common name alone.",
    )
    issuer: str = Field(
        "",
        max_length=64,
        description="Authority of patient IDs that state none, in images and in messages; empty "
        "means that such an ID belongs to nobody.",
    )
    keep_days: float = Field(
        30,
        ge=0,
        description="Days for which a message is kept for studies that come later; 0 keeps none.",
    )
    max_connections: int = Field(
        8,
        ge=1,
        description="Most connections at one time; a further one takes the place of the one that "
        "was quiet for longest.",
    )

    @model_validator(mode="after")
    def _knows_whom_to_hear(self) -> "PatientUpdates":
        if self.allowed_certificates and not (self.tls and self.tls.ca_file):
            raise ValueError("allowed_certificates needs tls.ca_file: who signed them")
        if self.enabled and not (self.allowed_hosts or self.allowed_certificates):
            raise ValueError("name who may send: allowed_hosts, or tls and allowed_certificates")
        return self
