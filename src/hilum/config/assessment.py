"""What becomes of a result when a reader has said what they think of it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from hilum.assessments.decision import AssessmentDecision
from hilum.config.fields import Settings, code_of_scheme


class AssessmentSettings(Settings):
    """What readers say of results."""

    withdraw_rejected: bool = Field(
        False,
        description="Take a result back wherever it lies, as `hilum withdraw` does, when a reader "
        "rejects it.",
    )
    titles: dict[Annotated[str, AfterValidator(code_of_scheme)], AssessmentDecision] = Field(
        default_factory=dict,
        description="What further titles of Key Object Selections say of a result, written as "
        "value^scheme; the titles that Hilum writes, Quality Issue and rejection notes are known.",
        examples=[{"113000^DCM": "accepted"}],
    )
