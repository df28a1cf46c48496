"""The figures of every run that compare.py left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compare import VARIANTS, left_out
from figures import accuracy, between, interval, macro_auroc
from films import CLASSES, Film

NORMAL, PNEUMONIA, COVID = range(len(CLASSES))


@dataclass(frozen=True)
class Unseen:
    """Figures of a source that the network has not seen: films, AUROCs, recall of covid."""

    films: int
    covid_or_pneumonia: float
    covid_or_normal: float
    accuracy: float
    recall: float


@dataclass(frozen=True)
class Run:
    """One variant: on validation films (with 95 % intervals), and on sources left out."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    auroc: float
    auroc_interval: tuple[float, float]
    unseen: dict[str, Unseen]
    epochs: int


def read_runs(folder: Path, films: Sequence[Film]) -> dict[str, Run]:
    """Every variant that was trained, by name."""
    return {
        name: _run(folder / "runs" / name, films)
        for name in VARIANTS
        if (folder / "runs" / name / "all.npz").exists()
    }


def _run(folder: Path, films: Sequence[Film]) -> Run:
    held_out = [i for i, film in enumerate(films) if film.split == "val"]
    labels = np.array([film.label for film in films])
    with np.load(folder / "all.npz") as stored:
        scores, epochs = stored["scores"][held_out], int(stored["epochs"])
    persons = [films[i].patient for i in held_out]
    truth = labels[held_out]
    unseen = {}
    for name, sources in left_out(folder.name).items():
        if not sources or not (folder / f"{name}.npz").exists():
            continue
        left = [i for i, film in enumerate(films) if film.source in sources]
        unseen[name] = _unseen(np.load(folder / f"{name}.npz")["scores"][left], labels[left])
    return Run(
        accuracy=accuracy(scores, truth),
        accuracy_interval=interval(accuracy, scores, truth, persons),
        auroc=macro_auroc(scores, truth),
        auroc_interval=interval(macro_auroc, scores, truth, persons),
        unseen=unseen,
        epochs=epochs,
    )


def _unseen(scores: np.ndarray, labels: np.ndarray) -> Unseen:
    covid = labels == COVID
    return Unseen(
        films=len(labels),
        covid_or_pneumonia=between(scores, labels, COVID, PNEUMONIA),
        covid_or_normal=between(scores, labels, COVID, NORMAL),
        accuracy=accuracy(scores, labels),
        recall=float((scores[covid].argmax(1) == COVID).mean()),
    )
