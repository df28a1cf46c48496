"""What is set on validation films: the temperature, and the score below which it abstains."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

WANTED = 0.8  # accuracy among the films that get an outcome
LEAST_ANSWERED = 0.5  # share of films that must get one


@dataclass(frozen=True)
class Answers:
    """Films that passed the gate: the share with an outcome, and how many of those are right."""

    answered: float
    right: float
    right_of_all: float


def temperature_of(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least cross-entropy."""

    def cross_entropy(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-2, 2), method="bounded").x))


def threshold_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """The lowest score that gives the wanted accuracy above it, as far as enough are answered."""
    best = scores.max(1)
    right = scores.argmax(1) == labels
    for threshold in np.arange(0.36, 1, 0.01):
        answered = best >= threshold
        if answered.mean() < LEAST_ANSWERED:
            break
        if right[answered].mean() >= WANTED:
            return round(float(threshold), 2)
    return round(float(np.quantile(best, 1 - LEAST_ANSWERED)), 2)


def answers(scores: np.ndarray, labels: np.ndarray, threshold: float | np.ndarray) -> Answers:
    answered = scores.max(1) >= threshold
    right = scores.argmax(1) == labels
    return Answers(float(answered.mean()), float(right[answered].mean()), float(right.mean()))


def cross_fitted(logits: np.ndarray, labels: np.ndarray, persons: Sequence[str]) -> Answers:
    """Answers of every half of the persons under what the other half has set."""
    order = {person: index for index, person in enumerate(sorted(set(persons)))}
    half = np.array([order[person] % 2 for person in persons])
    scores, thresholds = np.zeros_like(logits), np.zeros(len(logits))
    for judged in (0, 1):
        other, own = half != judged, half == judged
        temperature = temperature_of(logits[other], labels[other])
        fitted = softmax(logits[other] / temperature, axis=1)
        scores[own] = softmax(logits[own] / temperature, axis=1)
        thresholds[own] = threshold_of(fitted, labels[other])
    return answers(scores, labels, thresholds)


def set_in_card(card: Path, **numbers: float) -> None:
    """Write numbers into a `card.toml` that has the keys already."""
    text = card.read_text()
    for key, number in numbers.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {number:.4g}", text)
        if count != 1:
            raise SystemExit(f"{card} has no single line {key}")
    card.write_text(text)
