"""The films of the training set: which are used, how they are read, and how persons are split."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("normal", "pneumonia", "covid")


@dataclass(frozen=True)
class Film:
    """One line of `manifest.csv`. `group` is what a source-balanced training balances."""

    path: Path
    kind: str
    source: str
    patient: str
    split: str

    @property
    def label(self) -> int:
        return CLASSES.index(self.kind)

    @property
    def group(self) -> str:
        return f"{self.kind} {self.source}"

    @property
    def tuning(self) -> bool:
        """One training person in eight is kept aside for choices made before validation."""
        digest = hashlib.sha256(self.patient.encode()).digest()
        return self.split == "train" and digest[0] % 8 == 0

    def values(self) -> np.ndarray:
        """Grey values 0-255, float32 (rows, columns)."""
        return read(self.path)


def read(path: Path) -> np.ndarray:
    """Any picture as grey values, float32 (rows, columns)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), np.float32)


def load(folder: Path) -> list[Film]:
    """Every film of the manifest in `folder`."""
    with (folder / "manifest.csv").open(newline="") as table:
        return [
            Film(folder / row["file"], row["class"], row["source"], row["patient"], row["split"])
            for row in csv.DictReader(table)
        ]


def odd(folder: Path) -> list[tuple[Path, str]]:
    """The odd inputs in `folder` with their kind."""
    with (folder / "odd.csv").open(newline="") as table:
        return [(folder / row["file"], row["kind"]) for row in csv.DictReader(table)]
