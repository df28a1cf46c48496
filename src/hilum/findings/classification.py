"""To which of several groups the input belongs."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum import checks
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.printing import percent
from hilum.summary.numbers import ClassificationSummary


@dataclass(frozen=True)
class Score:
    """How strongly one group is indicated, 0-1."""

    code: Code
    label: str
    value: float

    def __post_init__(self) -> None:
        label = checks.label("the label of a score", self.label)
        settle(
            self,
            code=checks.code(f"the code of the score {label!r}", self.code),
            label=label,
            value=checks.number(f"the value of the score {label!r}", self.value, 0, 1),
        )


@dataclass(frozen=True)
class Classification(Finding):
    """The scores of named groups, the highest first.

    `outcome` is the one that is reported, or None: the network abstains ("indeterminate"). `basis`
    is the sentence that says what a score is, and what it is not. `threshold`, 0-1, is the score
    below which it abstains, None where no single number decides.
    """

    scores: tuple[Score, ...]
    outcome: Score | None
    basis: str
    image: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        scores = tuple(self.scores)
        if not scores or not all(isinstance(score, Score) for score in scores):
            raise FindingError("the scores of a classification are one or more Score")
        if self.outcome is not None and self.outcome not in scores:
            raise FindingError("the outcome of a classification is none of its scores")
        threshold = "the threshold of a classification"
        settle(
            self,
            scores=scores,
            basis=checks.text("the basis of a classification", self.basis),
            image=checks.image("the image of a classification", self.image),
            threshold=checks.number_if_any(threshold, self.threshold, 0, 1),
        )

    def summary(self) -> ClassificationSummary:
        outcome = self.outcome.label if self.outcome else "indeterminate"
        scores = ", ".join(f"{score.label} {percent(score.value)}" for score in self.scores)
        return ClassificationSummary(
            outcome=outcome,
            text=f"{outcome} ({scores}). {self.basis}",
            basis=self.basis,
            scores={score.label: score.value for score in self.scores},
            image=self.image,
        )

    def texts(self) -> Iterable[str]:
        return self.basis, *(score.label for score in self.scores)

    def codes(self) -> Iterable[Code]:
        return (score.code for score in self.scores)
