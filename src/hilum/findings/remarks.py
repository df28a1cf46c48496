"""Sentences: why there is no result, and what a reader must know."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum import checks
from hilum.findings.finding import Finding, clause, settle
from hilum.summary.remarks import NoteSummary, RefusalSummary

CAUTION = "Low confidence: "  # how a note that is one begins


@dataclass(frozen=True)
class Refusal(Finding):
    """The module could not analyse the input, or one image of it.

    `code` is a short slug. `text` is the reason for a clinician, a clause that can follow
    "could not be analysed, because ...".
    """

    code: str
    text: str
    image: str | None = None

    def __post_init__(self) -> None:
        settle(
            self,
            code=checks.label("the code of a refusal", self.code),
            text=checks.text("the text of a refusal", self.text),
            image=checks.image("the image of a refusal", self.image),
        )

    @property
    def sentence(self) -> str:
        """The whole sentence, as every result shows it."""
        return f"Could not be analysed, because {clause(self.text)}."

    def summary(self) -> RefusalSummary:
        return RefusalSummary(self.code, self.sentence, self.image)

    def texts(self) -> Iterable[str]:
        yield self.text


@dataclass(frozen=True)
class Note(Finding):
    """A remark a reader must see beside the result.

    One that is a `caution` says why the result deserves little confidence: `text` is the reason, a
    clause that can follow "Low confidence:".
    """

    text: str
    image: str | None = None
    caution: bool = False

    def __post_init__(self) -> None:
        settle(
            self,
            text=checks.text("the text of a note", self.text),
            image=checks.image("the image of a note", self.image),
            caution=checks.yes_or_no("whether a note is a caution", self.caution),
        )

    @property
    def sentence(self) -> str:
        """The remark, as every result shows it."""
        return f"{CAUTION}{clause(self.text)}." if self.caution else self.text

    def summary(self) -> NoteSummary:
        return NoteSummary(self.sentence, self.caution, self.image)

    def texts(self) -> Iterable[str]:
        yield self.text
