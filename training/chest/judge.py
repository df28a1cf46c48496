"""What the gate refuses: held-out films, the same films changed, and other pictures."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

import changes
from films import Film, odd, read
from hilum.modules.chest.gates import Look, Objection, PixelGate
from hilum.modules.chest.networks import LungSegmenter
from hilum.modules.chest.preprocess import prepare

EVERY_SLICE = 4  # of the series of a study
GOOD = "adult frontal film (must pass)"


@dataclass
class Row:
    """For one kind of picture: how many, and how many were refused under each code."""

    count: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> float:
        return self.codes.total() / self.count


class Judge:
    """The module's own chain from values to the gate's objection."""

    def __init__(self) -> None:
        self._segment, self._gate = LungSegmenter(), PixelGate()
        assert self._gate.calibration is not None
        self.bounds = self._gate.calibration

    def look(self, values: np.ndarray) -> Look:
        image = prepare(values).image
        return self._gate(image, self._segment(image))

    def __call__(self, values: np.ndarray) -> Objection | None:
        return self.look(values).objection(self.bounds)


def pictures(
    films: Sequence[Film], data: Path, studies: Path | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Every picture of the table with its kind."""
    rng = np.random.default_rng(1)
    crop = changes.Cropper()
    for film in films:
        values = film.values()
        yield GOOD, values
        yield "same, other exposure, turned by some degrees (must pass)", changes.mild(values, rng)
        yield "turned by 90 degrees", changes.rotated(values, rng)
        yield "turned by 180 degrees", np.rot90(values, 2)
        yield "mirrored top to bottom", values[::-1]
        yield "inverted polarity", changes.inverted(values, rng)
        lost = crop(values, rng, *changes.LUNGS_LOST)
        if lost is not None:
            yield "cropped: 25-70 % of the lungs left", lost
        yield "cropped: left or right half", np.array_split(values, 2, axis=1)[rng.integers(2)]
        yield "cropped: upper half", values[: len(values) // 2]
        yield "noise, blobs, discs, films in pieces", changes.nothing(rng, values)
    for path, kind in odd(data)[1::2]:  # the others are examples of gate.py
        yield {"lateral": "lateral chest film", "ct": "CT slice"}.get(kind, kind), read(path)
    yield from photographs()
    if studies:
        yield from slices(studies)


def photographs() -> Iterator[tuple[str, np.ndarray]]:
    """The sample photographs of two packages, whole and in quarters."""
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    hopper = Path(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    whole = [read(hopper), *(np.mean(image, axis=2) for image in load_sample_images().images)]
    for image in whole:
        yield "photograph", image
        for half in np.array_split(image, 2, axis=0):
            for quarter in np.array_split(half, 2, axis=1):
                yield "photograph", quarter


def slices(studies: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Slices of DICOM studies (brain MR)."""
    for path in sorted(p for p in studies.rglob("*") if p.is_file())[::EVERY_SLICE]:
        try:
            dataset = pydicom.dcmread(path)
        except InvalidDicomError:
            continue
        if "PixelData" in dataset and min(dataset.Rows, dataset.Columns) >= 128:
            yield f"{dataset.Modality} slice of a head", dataset.pixel_array.astype(np.float32)


def table(judge: Judge, given: Iterable[tuple[str, np.ndarray]]) -> dict[str, Row]:
    """The rows of the gate table."""
    rows: dict[str, Row] = {}
    for kind, values in given:
        row = rows.setdefault(kind, Row())
        row.count += 1
        if objection := judge(values):
            row.codes[objection.code] += 1
    return rows
