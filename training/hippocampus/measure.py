"""Figures of one case: overlap, distances between surfaces, volumes."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data import Case
from hilum.modules.hippocampus import PARTS
from hilum.modules.hippocampus.network import Segmentation


@dataclass(frozen=True)
class Figures:
    """One held-out case; dictionaries by part. Distances in mm (voxels are 1 mm), volumes in mL."""

    case: str
    subject: str
    fold: int
    dice: dict[str, float]
    hd95: dict[str, float]
    surface_distance: dict[str, float]
    measured: dict[str, float]
    labelled: dict[str, float]

    @property
    def mean_dice(self) -> float:
        """Mean of anterior and posterior, as the challenge counts."""
        return (self.dice["anterior"] + self.dice["posterior"]) / 2

    def volume_error(self, part: str = "whole") -> float:
        """Measured against labelled volume, as a share of the labelled."""
        return self.measured[part] / self.labelled[part] - 1


def figures_of(case: Case, segmentation: Segmentation) -> Figures:
    """Compare `segmentation` with the label of `case`."""
    found = {part: np.isin(segmentation.labels, row[0]) for part, row in PARTS.items()}
    truth = {part: np.isin(case.label, row[0]) for part, row in PARTS.items()}
    apart = {part: surface_distances(found[part], truth[part]) for part in PARTS}
    return Figures(
        case=case.name,
        subject=case.subject,
        fold=case.fold,
        dice={part: dice(found[part], truth[part]) for part in PARTS},
        hd95={
            part: max(float(np.percentile(way, 95)) for way in both) for part, both in apart.items()
        },
        surface_distance={part: float(np.concatenate(both).mean()) for part, both in apart.items()},
        measured={part: float(mask.sum()) / 1000 for part, mask in found.items()},
        labelled={part: float(mask.sum()) / 1000 for part, mask in truth.items()},
    )


def surface_distances(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of every surface voxel of one mask to the other's surface, both ways."""
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (first, second)]
    to_first, to_second = (ndimage.distance_transform_edt(~surface) for surface in surfaces)
    return to_second[surfaces[0]], to_first[surfaces[1]]


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two boolean arrays: 1 where they are equal, 0 where they share nothing."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 0.0
