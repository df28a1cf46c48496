"""What a reader can say of a result."""

from enum import StrEnum


class AssessmentDecision(StrEnum):
    """What a reader says of a result, in the words of IHE AIRAI as far as they are published."""

    ACCEPTED = "accepted"  # it is right; of a refusal: the module refused rightly
    REJECTED = "rejected"  # it is wrong, or must not be used
    SUPPLEMENTED = "supplemented"  # it is right, and something was added or corrected
