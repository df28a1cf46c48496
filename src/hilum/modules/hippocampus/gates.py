"""Is this result plausible? Header facts before, a few cheap numbers after the network.

Every number has bounds measured on held-out persons (`Calibration.bounds`). One number outside is
worth a note; one far outside, or several together, a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from scipy.ndimage import (  # type: ignore[attr-defined]
    gaussian_filter,
    label,
    map_coordinates,
)

from hilum.findings import Note, Refusal
from hilum.modules.hippocampus.network import ANTERIOR, Bounds, Range, Segmentation

TEMPLATE = Path(__file__).with_name("template.npz")
# offsets in voxels (1 mm) from the hippocampus's centroid: to the right, to anterior, to the head
BOX = (np.arange(-14, 17, 2.0), np.arange(-24, 23, 2.0), np.arange(-14, 21, 2.0))
LEAST_OVERLAP = 0.25  # share of the template that must lie inside the crop
SEVERAL = 3  # numbers outside their bounds that make a refusal together
LONGEST_T1_ECHO = 20.0  # ms; MPRAGE echoes last 2-5 ms, T2 and FLAIR ones 80 ms and more


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
        "the region found measures {value:.2f} mL, outside what the network was tested on",
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
    "entropy": Gate(
        "unsure", "the network is unsure about much of the region (entropy {value:.2f} per voxel)"
    ),
    "agreement": Gate(
        "unstable", "a second look at the shifted image gives another region (overlap {value:.2f})"
    ),
}


class Plausibility:
    """Judges segmentations by `bounds` and by the mean look of the training crops."""

    def __init__(self, bounds: Mapping[str, Bounds], template: Path = TEMPLATE) -> None:
        self._bounds = bounds
        with np.load(template) as stored:
            self._template = stored["appearance"].astype(np.float32)

    def __call__(self, segmentation: Segmentation) -> Refusal | tuple[Note, ...]:
        """A refusal, or the notes a reader must see (none if nothing is unusual)."""
        if not segmentation.labels.any():
            return Refusal("nothing-found", "no hippocampus was found in the image.")
        return verdict(numbers_of(segmentation, self._template), self._bounds)


def verdict(
    numbers: Mapping[str, float], bounds: Mapping[str, Bounds]
) -> Refusal | tuple[Note, ...]:
    """Compare `numbers` with their `bounds`, the most telling gate first."""
    unusual = [name for name in GATES if _outside(numbers[name], bounds[name].passes)]
    far = [name for name in GATES if _outside(numbers[name], bounds[name].refuses)]
    texts = {name: GATES[name].text.format(value=numbers[name]) for name in unusual}
    if far or len(unusual) >= SEVERAL:
        first = (far or unusual)[0]
        others = [texts[name] for name in unusual if name != first]
        return Refusal(GATES[first].code, "; ".join([texts[first], *others]) + ".")
    return tuple(Note(f"Low confidence: {text}.") for text in texts.values())


def header_refusal(header: Dataset) -> Refusal | None:
    """Why the acquisition itself is not what the network was made for, or None."""
    if header.get("ContrastBolusAgent"):
        return Refusal(
            "contrast-agent",
            "the series was acquired after a contrast agent; the network knows T1"
            " images without contrast only.",
        )
    try:
        echo_time = float(header.get("EchoTime") or 0)
    except (TypeError, ValueError):
        return None  # unreadable says as little as absent: crops often lack it
    if echo_time > LONGEST_T1_ECHO:
        return Refusal(
            "not-t1",
            f"an echo time of {echo_time:.0f} ms is not that of a T1-weighted image.",
        )
    return None


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
        "entropy": float(entropy) / voxels,
        "agreement": dice(mask, segmentation.shifted_labels > 0),
    }


def resemblance(image: np.ndarray, centre: np.ndarray, template: np.ndarray) -> float:
    """Correlation of the surroundings of `centre` with their mean in the training crops."""
    seen = appearance(image, centre)
    both = np.isfinite(seen) & np.isfinite(template)
    if both.mean() < LEAST_OVERLAP or seen[both].std() == 0:
        return 0.0
    return float(np.corrcoef(seen[both], template[both])[0, 1])


def appearance(image: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Smoothed intensities at the places of `BOX` around `centre`, NaN outside the crop."""
    where = np.stack(np.meshgrid(*BOX, indexing="ij")) + centre[:, None, None, None]
    smooth = gaussian_filter(image.astype(np.float32), 0.8, mode="nearest")
    return np.asarray(map_coordinates(smooth, where, order=1, cval=np.nan))


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two boolean arrays: 1 where they are equal, 0 where they share nothing."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 0.0


def _outside(value: float, allowed: Range) -> bool:
    low, high = allowed
    return (low is not None and value < low) or (high is not None and value > high)
