"""What is measured once on held-out persons and then travels with the weights."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from data import Case
from hilum.modules.hippocampus import PARTS
from hilum.modules.hippocampus.gates import GATES, appearance, numbers_of, sharpness
from hilum.modules.hippocampus.inputs import HEAD
from hilum.modules.hippocampus.network import Bounds, Calibration, Limits, Segmentation
from slices import thickened

OFFSETS = np.arange(-1.0, 3.0, 0.02)
ONE_SIGMA = 0.6827
CUBIC = 3

# the side of the median on which a number can be too far, and the least distance from it that
# counts: held-out crops are so clean here that their own spread would be no measure
SIDES = {
    "resemblance": ("low", 0.0),
    "volume_ml": ("both", 0.0),
    "anterior_share": ("both", 0.0),
    "at_border": ("high", 0.01),
    "one_piece": ("low", 0.02),
    "sharpness": ("low", 0.0),
    "mixed": ("high", 0.0),
    "entropy": ("high", 0.0),
}
USUAL = 0.99  # share of the held-out cases between the median and an end of what is usual
PASSES = 1.25  # times the distance from the median to that end
REFUSES = 2.5
REFUSES_RESEMBLANCE = 1.75  # mirrored and turned crops begin not far below the held-out ones


def mean_appearance(cases: Iterable[Case]) -> np.ndarray:
    """Mean surroundings of the labelled hippocampus; NaN where half of the crops do not reach."""
    seen = np.stack([appearance(c.image, np.argwhere(c.label > 0).mean(0)) for c in cases])
    often = np.isfinite(seen).sum(0) >= len(seen) / 2
    mean = np.full(seen.shape[1:], np.nan)
    mean[often] = np.nanmean(seen[:, often], axis=0)
    return mean.astype(np.float16)


def volume(labels: np.ndarray, part: str) -> float:
    """Voxels of anterior, posterior or whole."""
    return float(np.isin(labels, PARTS[part][0]).sum())


def errors(segmentations: Sequence[Segmentation], cases: Sequence[Case], part: str) -> np.ndarray:
    """Volume measured against the label, as a share of the label's volume."""
    measured = np.array([volume(s.labels, part) for s in segmentations])
    labelled = np.array([volume(c.label, part) for c in cases])
    return measured / labelled - 1


def pairs(cases: Sequence[Case]) -> Iterator[tuple[int, int]]:
    """Indices of the two hippocampi of every person who has both."""
    by_person: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        by_person.setdefault(case.subject, []).append(index)
    yield from ((both[0], both[1]) for both in by_person.values() if len(both) == 2)


def errors_of_pairs(
    segmentations: Sequence[Segmentation], cases: Sequence[Case]
) -> dict[str, np.ndarray]:
    """`both`: error of the volume of both, a share of it; `asymmetry`: of (a - b) / mean."""
    measured = np.array([volume(s.labels, "whole") for s in segmentations])
    labelled = np.array([volume(c.label, "whole") for c in cases])
    first, second = np.array(list(pairs(cases))).T
    both = (measured[first] + measured[second]) / (labelled[first] + labelled[second]) - 1
    asymmetry = [2 * (v[first] - v[second]) / (v[first] + v[second]) for v in (measured, labelled)]
    return {"both": both / (1 + both), "asymmetry": asymmetry[0] - asymmetry[1]}


def unbiased_offset(segmentations: Sequence[Segmentation], cases: Sequence[Case]) -> float:
    """The background offset with which the mean error of the whole volume is nearest to zero."""
    # a voxel belongs to the region as long as the offset is below its margin
    margins = [np.sort((s.logits[1:].max(0) - s.logits[0]).ravel()) for s in segmentations]
    labelled = np.array([volume(c.label, "whole") for c in cases])
    measured = np.array([m.size - np.searchsorted(m, OFFSETS, "right") for m in margins])
    bias = abs((measured / labelled[:, None] - 1).mean(0))
    return round(float(OFFSETS[int(np.argmin(bias))]), 2)


def bounds_of(numbers: Sequence[dict[str, float]]) -> dict[str, Bounds]:
    """Bounds of every gate: so many times as far from the median as what is usual."""
    bounds = {}
    for name in GATES:
        values = np.array([each[name] for each in numbers])
        refuses = REFUSES_RESEMBLANCE if name == "resemblance" else REFUSES
        bounds[name] = Bounds(*(_range(values, *SIDES[name], times) for times in (PASSES, refuses)))
    return bounds


def thickest_allowed(segmentations: Sequence[Segmentation]) -> float:
    """The least sharpness that the thickest slices allowed make of these crops.

    A head may come in such slices, so they are worth a note and only what is worse is refused.
    """
    assert HEAD.slice_spacing
    count = round(HEAD.slice_spacing[1])
    crops = [segmentation.image for segmentation in segmentations]
    return min(sharpness(thickened(c, count, axis, CUBIC)) for c in crops for axis in range(3))


def _range(values: np.ndarray, side: str, least: float, times: float) -> Limits:
    median = float(np.median(values))
    below = max(median - float(np.quantile(values, 1 - USUAL)), least)
    above = max(float(np.quantile(values, USUAL)) - median, least)
    return (
        None if side == "high" else round(median - times * below, 4),
        None if side == "low" else round(median + times * above, 4),
    )


def calibrate(
    segmentations: Sequence[Segmentation], cases: Sequence[Case], template: np.ndarray
) -> Calibration:
    """Offset, uncertainty and bounds from `segmentations` (any offset) of labelled `cases`.

    One standard deviation is the share of the measured volume within which 68 % of the errors lie;
    the model card says why it is not estimated case by case.
    """
    offset = unbiased_offset(segmentations, cases)
    segmentations = [replace(s, background_offset=offset) for s in segmentations]
    apart = {part: errors(segmentations, cases, part) for part in PARTS}
    shares = {part: error / (1 + error) for part, error in apart.items()}
    shares |= errors_of_pairs(segmentations, cases)
    relative_error = {
        name: round(float(np.quantile(abs(share), ONE_SIGMA)), 4) for name, share in shares.items()
    }
    bounds = bounds_of([numbers_of(s, template) for s in segmentations])
    bounds["sharpness"] = replace(
        bounds["sharpness"], refuses=(round(thickest_allowed(segmentations), 4), None)
    )
    return Calibration(offset, relative_error, bounds)
