"""What is measured once on held-out persons and then travels with the weights."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from data import Case
from hilum.modules.hippocampus import PARTS
from hilum.modules.hippocampus.gates import GATES, appearance, numbers_of
from hilum.modules.hippocampus.network import Bounds, Calibration, Range, Segmentation

OFFSETS = np.arange(-1.0, 3.0, 0.02)
ONE_SIGMA = 0.6827

# the side of the median on which a number can be too far, and the least distance from it that
# counts: held-out crops are so clean here that their own spread would be no measure
SIDES = {
    "resemblance": ("low", 0.0),
    "volume_ml": ("both", 0.0),
    "anterior_share": ("both", 0.0),
    "at_border": ("high", 0.01),
    "one_piece": ("low", 0.02),
    "entropy": ("high", 0.0),
    "agreement": ("low", 0.02),
}
PASSES = 1.25  # times the distance from the median to the most extreme held-out case
REFUSES = 2.5
REFUSES_VOLUME = 3.5  # disease halves a hippocampus: that is the finding, not a fault


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


def unbiased_offset(segmentations: Sequence[Segmentation], cases: Sequence[Case]) -> float:
    """The background offset with which the mean error of the whole volume is nearest to zero."""
    bias = [
        abs(errors([replace(s, background_offset=o) for s in segmentations], cases, "whole").mean())
        for o in OFFSETS
    ]
    return round(float(OFFSETS[int(np.argmin(bias))]), 2)


def bounds_of(numbers: Sequence[dict[str, float]]) -> dict[str, Bounds]:
    """Bounds of every gate: so many times as far from the median as the most extreme case."""
    bounds = {}
    for name in GATES:
        values = np.array([each[name] for each in numbers])
        refuses = REFUSES_VOLUME if name == "volume_ml" else REFUSES
        bounds[name] = Bounds(*(_range(values, *SIDES[name], times) for times in (PASSES, refuses)))
    return bounds


def _range(values: np.ndarray, side: str, least: float, times: float) -> Range:
    median = float(np.median(values))
    below = max(median - float(values.min()), least)
    above = max(float(values.max()) - median, least)
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
    relative_error = {}
    for part in PARTS:
        error = errors(segmentations, cases, part)
        relative_error[part] = round(float(np.quantile(abs(error / (1 + error)), ONE_SIGMA)), 4)
    bounds = bounds_of([numbers_of(s, template) for s in segmentations])
    return Calibration(offset, relative_error, bounds)
