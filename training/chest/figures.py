"""Figures of scores: accuracy, AUROC, intervals by resampling persons."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

RESAMPLED = 1000


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a positive scores higher than a negative (ties half); nan without either."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def macro_auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of each against the rest; `scores` (n, classes)."""
    return float(np.mean([auroc(s[labels == k], s[labels != k]) for k, s in enumerate(scores.T)]))


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float((scores.argmax(1) == labels).mean())


def between(scores: np.ndarray, labels: np.ndarray, first: int, second: int) -> float:
    """AUROC of class `first` against `second` by their scores' ratio, the third left aside."""
    ratio = np.log(scores[:, first] + 1e-9) - np.log(scores[:, second] + 1e-9)
    return auroc(ratio[labels == first], ratio[labels == second])


def interval(
    figure: Callable[[np.ndarray, np.ndarray], float],
    scores: np.ndarray,
    labels: np.ndarray,
    persons: Sequence[str],
) -> tuple[float, float]:
    """95 % bootstrap interval; whole persons are drawn, since their films are alike."""
    rng = np.random.default_rng(0)
    of = {person: np.flatnonzero(np.array(persons) == person) for person in sorted(set(persons))}
    names = list(of)
    drawn = []
    for _ in range(RESAMPLED):
        picked = np.concatenate([of[names[i]] for i in rng.integers(len(names), size=len(names))])
        value = figure(scores[picked], labels[picked])
        if np.isfinite(value):
            drawn.append(value)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)
