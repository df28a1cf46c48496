"""Results, and how they reach their destinations."""

from dataclasses import dataclass
from pathlib import Path

from hilum.answers import Acceptance
from hilum.records.states import DeliveryState


@dataclass(frozen=True)
class WrittenResult:
    """One result object, written for the destinations of one variant.

    `variant` is that of `DestinationSettings`; `identity` is a SOP Instance UID, or a derived UID
    of what is no DICOM object. `path` is that of its file, below the data folder.
    """

    identity: str
    variant: str
    workitem_id: str
    kind: str  # of the group `hilum.objects`, or "ko" for a note about a result
    media_type: str
    sop_class_uid: str  # "" of what is no DICOM object
    path: Path


@dataclass(frozen=True)
class Delivery:
    """The results of one workitem on their way to one destination."""

    workitem_id: str
    destination: str
    variant: str  # of the results it is to receive
    images: bool  # whether the analysed images go along
    state: DeliveryState
    owed_at: float
    attempts: int = 0
    reason: str = ""
    next_attempt: float = 0.0
    verified_at: float | None = None
    asks: int = 0  # since all of it was taken
    accepted_at: float | None = None  # when the last of it was taken
    resend: bool = False  # a person allowed to send again what was taken and is not shown
    filed_as: str = ""  # the number of the patient under whom the destination files the study
    urgent: bool = False  # the module says that somebody should look at once


@dataclass(frozen=True)
class DeliveryReceipt:
    """When an object was last sent to a destination, how often, and what was answered."""

    workitem_id: str
    destination: str
    identity: str
    sent_at: float
    times: int
    acceptance: Acceptance
    status: int | None = None


@dataclass(frozen=True)
class CommitmentRequest:
    """A destination was asked to commit itself to the results of a workitem."""

    transaction_uid: str
    workitem_id: str
    destination: str
    asked_at: float
