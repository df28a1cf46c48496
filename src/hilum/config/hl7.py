"""How one receiver wants HL7 messages: names, language, and what it does with urgency."""

from typing import Annotated, Literal

from pydantic import Field

from hilum.config.ends import End, check_tls
from hilum.config.fields import OrEmpty, Port, Settings, StudyAddress
from hilum.config.tls import Tls

Language = Literal["en", "de", "fr"]


class MessageReceiver(End):
    """A program that takes HL7 messages."""

    host: str = Field("127.0.0.1", description="Address of the receiver.")
    port: Port = Field(2575, description="Its port.")
    tls: Tls | None = Field(
        None,
        description="Encryption by TLS, whom we trust, and our certificate; without it messages "
        "are sent unencrypted.",
    )

    def check(self) -> None:
        super().check()
        check_tls(self.name, self.tls)


class Dialect(Settings):
    """What stands in the messages to one receiver."""

    sending_application: str = Field(
        "HILUM", min_length=1, max_length=20, description="Our name in messages (MSH-3)."
    )
    sending_facility: str = Field("", max_length=20, description="Our facility (MSH-4).")
    receiving_application: str = Field(
        "", max_length=20, description="Name of the receiver (MSH-5); may be empty."
    )
    receiving_facility: str = Field("", max_length=20, description="Its facility (MSH-6).")
    processing_id: Literal["P", "T", "D"] = Field(
        "P", description="Production, training or debugging (MSH-11)."
    )
    enhanced: bool = Field(
        False,
        description="Ask for commit acknowledgements (CA, CE, CR; enhanced mode) instead of those "
        "of the application (AA, AE, AR).",
    )
    language: Language = Field(
        "en",
        description="Language of the text for the report: en, de or fr; what a module of your own "
        "writes in its own words stays as it is.",
    )
    patient_id_issuer: str = Field(
        "",
        max_length=64,
        description="Authority of patient IDs (PID-3.4) where the images state none.",
    )
    link: Annotated[StudyAddress, OrEmpty] = Field(
        "",
        description="Address of the study in a viewer, with {study_uid} for its UID; empty sends "
        "no link.",
    )
    withdrawn: Literal["W", "D"] = Field(
        "W",
        description="How a withdrawn result is marked (OBX-11): posted as wrong (W) or to be "
        "deleted (D).",
    )
    urgency: Literal["none", "flag", "order"] = Field(
        "none",
        description="How the receiver is told that a study is urgent: not at all, by an abnormal "
        "flag (OBX-8), or by an update of the order with priority S (OMI^O23, TQ1-9).",
    )
    every_urgent: bool = Field(
        False,
        description="Whether every result that is sent here is urgent, such as where a route picks "
        "them, and not only one whose module says so.",
    )
