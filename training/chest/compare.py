"""Train every variant of the classifier, also without one source each, and keep what it scores.

    python training/chest/compare.py --data DIR --out OUT [--only NAME]

Writes `OUT/runs/NAME/`: `tail.pt`, and `all.npz`, `ieee8023.npz`, ... with the scores of every film
by the network that has not seen that source. What is there already is not trained again.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from classify import Method, activations, train
from figures import accuracy, between, macro_auroc
from films import CLASSES, Film, load
from views import FrozenTrunk, Look, cuts_of, features_of

SMALL = "actualmed+figure1"
LEFT_OUT = {"ieee8023": ("ieee8023",), SMALL: ("actualmed", "figure1")}


@dataclass(frozen=True)
class Variant:
    """One way to look at films and to train."""

    look: Look
    method: Method


STRONG = Look(strong=True)
VARIANTS = {
    "crop-strong-balanced": Variant(STRONG, Method(balanced=True)),
    "crop-strong": Variant(STRONG, Method()),
    "full": Variant(Look("full"), Method()),
    "lungs-hidden": Variant(Look(hide="inside", strong=True), Method()),
    "crop-strong-robust": Variant(STRONG, Method(robust=True)),
    "lungs-only": Variant(Look(hide="outside", strong=True), Method()),
    "crop": Variant(Look(), Method()),
    "crop-strong-adversarial": Variant(STRONG, Method(adversarial=True)),
}


def left_out(name: str) -> dict[str, tuple[str, ...]]:
    """The trainings of a variant and the sources each does without; a probe has one only."""
    return {"all": ()} if VARIANTS[name].look.hide == "inside" else {"all": (), **LEFT_OUT}


def run(
    name: str, films: list[Film], folder: Path, features: tuple[np.ndarray, np.ndarray], epochs: int
) -> None:
    """Train one variant with all sources and without each."""
    plain, seen = features
    folder.mkdir(parents=True, exist_ok=True)
    for without, sources in left_out(name).items():
        path = folder / f"{without}.npz"
        if path.exists():
            continue
        started = time.process_time()
        used = [
            i
            for i, film in enumerate(films)
            if film.split == "train" and not film.tuning and film.source not in sources
        ]
        tail = train(seen[:, used], [films[i] for i in used], VARIANTS[name].method, epochs)
        activation = activations(tail, plain)
        with torch.no_grad():
            scores = tail.logits(activation).softmax(1).numpy()
        np.savez(path, scores=scores, epochs=epochs)
        if without == "all":
            torch.save(tail.state_dict(), folder / "tail.pt")
        print(
            f"{name} without {without}: {_line(films, scores, sources)}"
            f"  cpu {time.process_time() - started:.0f} s",
            flush=True,
        )


def _line(films: list[Film], scores: np.ndarray, sources: tuple[str, ...]) -> str:
    judged = [
        i
        for i, film in enumerate(films)
        if (film.source in sources if sources else film.split == "val")
    ]
    labels = np.array([films[i].label for i in judged])
    normal, pneumonia, covid = range(len(CLASSES))
    part = scores[judged]
    recall = (part[labels == covid].argmax(1) == covid).mean()
    return (
        f"{len(judged)} films  accuracy {accuracy(part, labels):.3f}  macro AUROC"
        f" {macro_auroc(part, labels):.3f}  covid/pneumonia"
        f" {between(part, labels, covid, pneumonia):.3f}  covid/normal"
        f" {between(part, labels, covid, normal):.3f}  covid recall {recall:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=VARIANTS, help="one variant instead of all")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--views", type=int, default=5)
    options = parser.parse_args()

    torch.set_num_threads(1)
    films = load(options.data)
    trunk = FrozenTrunk(options.out)
    for name in [options.only] if options.only else list(VARIANTS):
        look = VARIANTS[name].look
        features = features_of(
            lambda look=look: cuts_of(films, look.cut), look, options.views, trunk, options.out
        )
        run(name, films, options.out / "runs" / name, features, options.epochs)


if __name__ == "__main__":
    main()
