"""What is said in sentences."""

from dataclasses import dataclass
from typing import Literal

from hilum.summary.finding import FindingSummary


@dataclass(frozen=True)
class RefusalSummary(FindingSummary):
    """Why there is no result: a code, and a sentence."""

    code: str
    text: str
    image: str | None = None
    kind: Literal["refusal"] = "refusal"

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class NoteSummary(FindingSummary):
    """A remark; a `caution` says that the result is less certain."""

    text: str
    caution: bool = False
    image: str | None = None
    kind: Literal["note"] = "note"

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class UrgencySummary(FindingSummary):
    """Why somebody should look at once: a clause."""

    reason: str
    image: str | None = None
    kind: Literal["urgency"] = "urgency"

    @property
    def text(self) -> str:
        """The same as a sentence."""
        return f"Urgent: {self.reason}."

    def in_words(self) -> str:
        return self.text


@dataclass(frozen=True)
class DraftSummary(FindingSummary):
    """A text that nobody has checked, and the section of a report that it could be taken into."""

    text: str
    section: str = ""
    image: str | None = None
    kind: Literal["draft"] = "draft"

    def in_words(self) -> str:
        return f"Draft, not checked by anybody: {self.text}"
