"""To which of several groups the input belongs, and where the evidence for it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilum_module.codes import Code
from hilum_module.findings import Finding, FindingError


@dataclass(frozen=True)
class Score:
    """How strongly one group is indicated, 0-1."""

    code: Code
    label: str
    value: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise FindingError(f"the value of a score is {self.value}; it must be between 0 and 1")


@dataclass(frozen=True, eq=False)
class Classification(Finding):
    """The scores of named groups, the highest first.

    `outcome` is the one that is reported, or None: the network abstains. `basis` is the sentence
    that says what a score is. `threshold`, 0-1, is the score below which it abstains, if any.
    """

    scores: tuple[Score, ...]
    outcome: Score | None
    basis: str
    image: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.outcome is not None and self.outcome not in self.scores:
            raise FindingError("the outcome of a classification is none of its scores")


@dataclass(frozen=True, eq=False)
class HeatMap(Finding):
    """Where the evidence lies: `values` 0-1 on a grid over one image, float32 (rows, columns).

    `region`, boolean on the same grid, is where evidence should lie, such as the lungs.
    """

    values: np.ndarray
    label: str
    image: str
    region: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not ((self.values >= 0) & (self.values <= 1)).all():
            raise FindingError("the values of a heat map must be numbers between 0 and 1")
        if self.region is not None and self.region.shape != self.values.shape:
            raise FindingError("the region of a heat map lies on another grid than its values")
