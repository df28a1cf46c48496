"""Text that a reader may take into a report of their own."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum import checks
from hilum.findings.finding import Finding, settle
from hilum.summary.remarks import DraftSummary

DRAFT = "DRAFT, not checked by anybody"  # how it is marked in every result


@dataclass(frozen=True)
class Draft(Finding):
    """Free text of a program, marked as a draft wherever it stands.

    `section` is the part of a reader's own report that it could be taken into, such as "Findings"
    or "Impression"; "" where it is for none.
    """

    text: str
    section: str = ""
    image: str | None = None

    def __post_init__(self) -> None:
        given = self.section
        settle(
            self,
            text=checks.text("the text of a draft", self.text),
            section=checks.label("the section of a draft", given) if given != "" else "",
            image=checks.image("the image of a draft", self.image),
        )

    @property
    def sentence(self) -> str:
        """The text with its mark, as every result shows it."""
        return f"{DRAFT}{f' ({self.section})' if self.section else ''}: {self.text}"

    def summary(self) -> DraftSummary:
        return DraftSummary(self.text, self.section, self.image)

    def texts(self) -> Iterable[str]:
        return (text for text in (self.text, self.section) if text)
