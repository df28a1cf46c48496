"""The Decathlon Task04 crops: which cases are used, and how they are read.

Cases (2k-1, 2k) are the two hippocampi of one person, one of them mirrored, so folds are by
`subject`, never by case.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from highdicom import Volume

from hilum.modules.hippocampus.network import normalise

PLAUSIBLE_MM3 = (2000, 5000)  # excludes mislabelled cases by rule, not by name


@dataclass(frozen=True)
class Case:
    """One crop: z-scored image and label (0, 1 anterior, 2 posterior), both (x, y, z) RAS, 1 mm."""

    name: str
    subject: str
    fold: int
    image: np.ndarray
    label: np.ndarray


def load_cases(folder: Path) -> list[Case]:
    """Read every usable case below `folder` (images/, labels/, cases.csv)."""
    cases = []
    with (folder / "cases.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            image = nib.load(folder / "images" / f"{row['case']}.nii.gz")
            label = nib.load(folder / "labels" / f"{row['case']}.nii.gz")
            if image.shape != label.shape:
                continue
            mask = np.asarray(label.dataobj).astype(np.uint8)
            if not PLAUSIBLE_MM3[0] <= (mask > 0).sum() <= PLAUSIBLE_MM3[1]:
                continue
            voxels = np.asarray(image.dataobj).astype(np.float32)
            cases.append(
                Case(row["case"], row["subject"], int(row["fold"]), normalise(voxels), mask)
            )
    return cases


def read_volume(folder: Path, name: str) -> Volume:
    """The crop `name` as a module would see it: raw intensities, affine to LPS mm."""
    image = nib.load(folder / "images" / f"{name}.nii.gz")
    return Volume.from_nibabel(image).astype(np.float32)
