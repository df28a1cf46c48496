"""The shipped network on films, through the module's own code."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax as _softmax

from films import Film
from hilum.modules.chest import BUILT_IN, inside_share
from hilum.modules.chest.gates import PixelGate
from hilum.modules.chest.networks import Classifier, LungSegmenter
from hilum.modules.chest.preprocess import prepare


@dataclass(frozen=True, eq=False)
class Measured:
    """One row a film: `logits` and `labels`, share of `evidence` inside the lungs, area of the
    lungs as a share of the film, `seconds` of one film."""

    logits: np.ndarray
    labels: np.ndarray
    evidence: np.ndarray
    lungs: np.ndarray
    seconds: float


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(_softmax(logits, axis=1))


def measure(films: Sequence[Film]) -> Measured:
    """Every film through border, lungs, gate and network, one thread."""
    segment, gate, network = LungSegmenter(), PixelGate(), Classifier(BUILT_IN)
    temperature = network.card.output.temperature
    logits, evidence, area = [], [], []
    started = time.perf_counter()
    for film in films:
        image = prepare(film.values()).image
        chances = segment(image)
        gate(image, chances)
        lungs = chances > 0.5
        reading = network(image, lungs)
        logits.append(np.log(reading.scores + 1e-12) * temperature)
        seen = reading.evidence(int(reading.scores.argmax()))
        assert seen is not None
        evidence.append(inside_share(seen, lungs) or 0.0)
        area.append(lungs.mean())
    return Measured(
        logits=np.array(logits),
        labels=np.array([film.label for film in films]),
        evidence=np.array(evidence),
        lungs=np.array(area),
        seconds=(time.perf_counter() - started) / len(films),
    )
