"""What becomes of a result when a reader has said what they think of it."""

from pydantic import Field

from hilum.config.fields import Settings


class AssessmentSettings(Settings):
    """What readers say of results."""

    withdraw_rejected: bool = Field(
        False,
        description="Take a result back wherever it lies, as `hilum withdraw` does, when a reader "
        "rejects it.",
    )
