"""What a reader said of a result, as destinations are told it."""

from dataclasses import dataclass, field
from datetime import datetime

from hilum.assessments.decision import AssessmentDecision


@dataclass(frozen=True)
class ReaderWord:
    """What one reader said of one version of a result, and when.

    `reader` is a name for people; `key` is the same for all that this reader says, here or
    elsewhere, and names nobody. `before` is what they had said of the same result, and when, if
    they have changed their mind. The reason is free text. What came as a DICOM object has its
    SOP Instance UID.
    """

    decision: AssessmentDecision
    reader: str
    key: str
    reason: str = field(repr=False)
    at: datetime
    before: tuple[AssessmentDecision, datetime] | None = None
    object_uid: str = ""
