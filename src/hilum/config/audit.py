"""The settings of the audit trail, and of those who are told of it."""

from pathlib import Path

from pydantic import Field, field_validator

from hilum.config.fields import FileIfAny, Port, Settings
from hilum.config.tls import Tls

SIX_MONTHS = 183  # days


class SyslogSettings(Settings):
    """One collector of audit messages, which is told by syslog over TLS (RFC 5425)."""

    host: str = Field(
        min_length=1,
        description="Name or address of the collector, as in its certificate.",
        examples=["audit.hospital.example"],
    )
    port: Port = Field(6514, description="Its port for syslog over TLS.")
    tls: Tls | None = Field(
        None,
        description="Which certificate of the collector is trusted, and our client certificate; "
        "empty means those that the system trusts.",
    )
    timeout_seconds: float = Field(30, gt=0, description="Longest wait for one answer, in seconds.")

    @property
    def name(self) -> str:
        """What alarms and commands call it."""
        return f"{self.host}:{self.port}"


class AuditSettings(Settings):
    """The audit trail: who did what."""

    keep_days: float = Field(
        2192,
        ge=SIX_MONTHS,
        description="Days for which what people did is kept, at least six months (183); what a "
        "collector has not received yet is kept longer.",
    )
    source_id: str = Field(
        "hilum", min_length=1, description="What audit messages call this Hilum (AuditSourceID)."
    )
    site_id: str = Field(
        "", description="What they call the hospital or department (AuditEnterpriseSiteID)."
    )
    file: FileIfAny = Field(
        None, description="File that audit messages are written to as well, one a line."
    )
    syslog: tuple[SyslogSettings, ...] = Field(
        (), description="Collectors that audit messages are sent to, each a [[audit.syslog]]."
    )

    @field_validator("syslog")
    @classmethod
    def _differ(cls, collectors: tuple[SyslogSettings, ...]) -> tuple[SyslogSettings, ...]:
        names = [collector.name for collector in collectors]
        if len(set(names)) < len(names):
            raise ValueError("two collectors have the same host and port: leave one out")
        return collectors

    @property
    def listeners(self) -> dict[str, SyslogSettings | Path]:
        """Everybody who is told, by name."""
        files = {f"file {self.file}": self.file} if self.file else {}
        return {**files, **{collector.name: collector for collector in self.syslog}}
