"""Is this result plausible? A few numbers that are quick to compute tell.

Every number has bounds measured on held-out persons (`Calibration.bounds`). One number outside is
worth a note; one far outside, or several together, a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import (
    gaussian_filter,
    label,
    map_coordinates,
)

from hilum.findings import Note, Refusal
from hilum.modules.hippocampus.network import ANTERIOR, Bounds, Limits, Segmentation

TEMPLATE = Path(__file__).with_name("template.npz")
# offsets in voxels (1 mm) from the hippocampus's centroid: to the right, to anterior, to the head
BOX = (np.arange(-14, 17, 2.0), np.arange(-24, 23, 2.0), np.arange(-14, 21, 2.0))
LEAST_OVERLAP = 0.25  # share of the template that must lie inside the crop
APART = 2  # voxels; neighbours differ by how slices were resampled, these by how thick they were
SEVERAL = 3  # numbers outside their bounds that make a refusal together


@dataclass(frozen=True)
class Gate:
    """`code` is the refusal's slug; `text` says to a clinician what a `value` outside means."""

    code: str
    text: str


GATES = {
    "resemblance": Gate(
        "not-a-hippocampus",
        "the image does not look like the surroundings of a hippocampus in T1 (correlation"
        " {value:.2f}); wrong region, contrast, side or orientation",
    ),
    "volume_ml": Gate(
        "unusual-volume",
        "the region found measures {value:.2f} mL, outside what the model was tested on",
    ),
    "anterior_share": Gate(
        "unusual-proportions",
        "the anterior part makes up {value:.0%} of the region found; part of the hippocampus may"
        " be missing, or the slices are too thick",
    ),
    "at_border": Gate(
        "cut-off", "{value:.1%} of the region found lies at the border of the image: it is cut off"
    ),
    "one_piece": Gate(
        "in-pieces", "the region found falls into pieces; the largest holds {value:.0%} of it"
    ),
    "sharpness": Gate(
        "blurred",
        "along one axis the image holds {value:.0%} of the detail that it holds along the others,"
        " like thick slices that were resampled to thin ones",
    ),
    "mixed": Gate(
        "mixed-parts",
        "anterior and posterior part lie mixed: {value:.0%} of the region found looks like the part"
        " on the other side of their border",
    ),
    "entropy": Gate(
        "unsure", "the model is unsure about much of the region (entropy {value:.2f} per voxel)"
    ),
}


class Plausibility:
    """Judges segmentations by `bounds` and by the mean look of the training crops."""

    def __init__(self, bounds: Mapping[str, Bounds], template: Path = TEMPLATE) -> None:
        self._bounds = bounds
        with np.load(template) as stored:
            self.template = stored["appearance"].astype(np.float32)

    def __call__(self, segmentation: Segmentation) -> Refusal | tuple[Note, ...]:
        """A refusal, or the notes a reader must see (none if nothing is unusual)."""
        if not segmentation.labels.any():
            return Refusal("nothing-found", "no hippocampus was found in the image.")
        return assess(numbers_of(segmentation, self.template), self._bounds)


def assess(
    numbers: Mapping[str, float], bounds: Mapping[str, Bounds]
) -> Refusal | tuple[Note, ...]:
    """Compare `numbers` with their `bounds`, the most telling gate first."""
    unusual = [name for name in GATES if _outside(numbers[name], bounds[name].passes)]
    far = [name for name in GATES if _outside(numbers[name], bounds[name].refuses)]
    texts = {name: GATES[name].text.format(value=numbers[name]) for name in unusual}
    if far or len(unusual) >= SEVERAL:
        first = [*far, *unusual][0]
        texts = {first: texts[first], **texts}
        return Refusal(GATES[first].code, "; ".join(texts.values()) + ".")
    return tuple(Note(text, caution=True) for text in texts.values())


def numbers_of(segmentation: Segmentation, template: np.ndarray) -> dict[str, float]:
    """The number of every gate, for a segmentation that found something."""
    mask = segmentation.labels > 0
    voxels = float(mask.sum())
    pieces, _ = label(mask)
    probabilities = segmentation.probabilities
    entropy = -(probabilities * np.log(probabilities + 1e-9)).sum()
    return {
        "resemblance": resemblance(segmentation.image, np.argwhere(mask).mean(0), template),
        "volume_ml": voxels * float(segmentation.source.voxel_volume) / 1000,
        "anterior_share": float((segmentation.labels == ANTERIOR).sum()) / voxels,
        "at_border": 1 - float(mask[1:-1, 1:-1, 1:-1].sum()) / voxels,
        "one_piece": float(np.bincount(pieces.ravel())[1:].max()) / voxels,
        "sharpness": sharpness(segmentation.image),
        "mixed": float((segmentation.labels != segmentation.likeliest).sum()) / voxels,
        "entropy": float(entropy) / voxels,
    }


def resemblance(image: np.ndarray, centre: np.ndarray, template: np.ndarray) -> float:
    """Correlation of the surroundings of `centre` with their mean in the training crops."""
    seen = appearance(image, centre)
    both = np.isfinite(seen) & np.isfinite(template)
    if both.mean() < LEAST_OVERLAP or seen[both].std() == 0:
        return 0.0
    return float(np.corrcoef(seen[both], template[both])[0, 1])


def sharpness(image: np.ndarray) -> float:
    """Detail along the most blurred axis of `image`, as a share of that along the middle one.

    The detail along an axis is the energy of its second differences by that of its first ones, so
    that neither contrast nor anatomy counts. 1 where all axes are alike; about 0.6 for slices of
    3 mm resampled to 1 mm, 0.4 for 5 mm. Slices that only repeat their neighbour hold none, so it
    is at most the share of the others.
    """
    detail, new = [], []
    for axis in range(3):
        lines = np.moveaxis(image, axis, 0)
        new.append(float((lines[1:] != lines[:-1]).any((1, 2)).mean()))
        first = lines[APART:] - lines[:-APART]
        energy = float((first**2).mean())
        second = first[APART:] - first[:-APART]
        detail.append(float((second**2).mean()) / energy if energy else 0.0)
    lowest, middle, _ = sorted(detail)
    return min(lowest / middle, *new) if middle else 0.0


def appearance(image: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Smoothed intensities at the places of `BOX` around `centre`, NaN outside the crop."""
    where = np.stack(np.meshgrid(*BOX, indexing="ij")) + centre[:, None, None, None]
    smooth = gaussian_filter(image.astype(np.float32), 0.8, mode="nearest")
    return np.asarray(map_coordinates(smooth, where, order=1, cval=np.nan))


def _outside(value: float, allowed: Limits) -> bool:
    low, high = allowed
    return (low is not None and value < low) or (high is not None and value > high)
