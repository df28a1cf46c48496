"""That somebody should look at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum import checks
from hilum.findings.finding import Finding, clause, settle
from hilum.summary.remarks import UrgencySummary


@dataclass(frozen=True)
class Urgency(Finding):
    """Somebody should look at this study at once; `text` is why, a clause after "Urgent:"."""

    text: str

    def __post_init__(self) -> None:
        settle(self, text=checks.text("the text of an urgency", self.text))

    @property
    def sentence(self) -> str:
        """As every result says it."""
        return self.summary().text

    def summary(self) -> UrgencySummary:
        return UrgencySummary(clause(self.text))

    def texts(self) -> Iterable[str]:
        yield self.text
