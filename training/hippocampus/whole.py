"""Whole heads that anyone can get: volumes of both sides, and what turning and thick slices do."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from highdicom import Volume
from scipy import ndimage

from hilum.findings import Findings
from hilum.modules.hippocampus import HippocampalVolume

COLIN = Path("/usr/share/mricron/templates/ch2.nii.gz")  # Debian: mricron-data
MNI = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"  # inside nilearn

# left and right mL by hippodeep (Thyreau et al. 2018), run once on the same images
HIPPODEEP = {"Colin27": (4.523, 4.606), "MNI152": (4.792, 4.804)}

EVERY_HEAD = ("as it is", "mirrored")


@dataclass(frozen=True)
class Reading:
    """One head, changed in one way: mL left and right, or why there are none; CPU-seconds."""

    head: str
    change: str
    volumes: tuple[float, ...]
    outcome: str
    seconds: float


def readings(module: HippocampalVolume) -> list[Reading]:
    """Of the heads on this machine: as they are and mirrored; of one tilted, in thick slices."""
    made = []
    for name, volume in _heads().items():
        for change, function in CHANGES.items():
            if name != "Colin27" and change not in EVERY_HEAD:
                continue
            changed = function(volume)
            started = time.process_time()
            volumes, outcome = _read(module, changed)
            seconds = time.process_time() - started
            made.append(Reading(name, change, volumes, outcome, seconds))
    return made


def _heads() -> dict[str, Volume]:
    nilearn = importlib.util.find_spec("nilearn")
    paths = {"Colin27": COLIN}
    if nilearn and nilearn.origin:
        paths["MNI152"] = Path(nilearn.origin).parent / MNI
    return {
        name: Volume.from_nibabel(nib.load(path)).astype(np.float32)
        for name, path in paths.items()
        if path.exists()
    }


def _read(module: HippocampalVolume, volume: Volume) -> tuple[tuple[float, ...], str]:
    """By the pixels alone: the header's gates are left out."""
    findings = Findings(tuple(module.of_head(volume)))
    if findings.refusal:
        return (), f"refused: {findings.refusal.code}"
    sides = [m.value for m in findings.measurements if m.followed and m.of]
    return tuple(sides), "low confidence" if any(n.caution for n in findings.notes) else "passed"


def _turned(axis: int, degrees: float) -> Callable[[Volume], Volume]:
    """About the patient's x (0), y (1) or z axis."""
    i, j = ((1, 2), (0, 2), (0, 1))[axis]
    turn = np.eye(4)
    turn[i, i] = turn[j, j] = np.cos(np.deg2rad(degrees))
    turn[i, j], turn[j, i] = -np.sin(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return lambda volume: Volume(
        volume.array, affine=turn @ volume.affine, coordinate_system="PATIENT"
    )


def _thick(axis: int, count: int) -> Callable[[Volume], Volume]:
    """Means of `count` neighbouring slices along `axis`."""

    def change(volume: Volume) -> Volume:
        slices = np.moveaxis(volume.array, axis, 0)
        slices = slices[: len(slices) // count * count]
        means = slices.reshape(-1, count, *slices.shape[1:]).mean(1)
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, axis] * (count - 1) / 2
        affine[:3, axis] *= count
        return Volume(np.moveaxis(means, 0, axis), affine=affine, coordinate_system="PATIENT")

    return change


def _fine(volume: Volume) -> Volume:
    affine = volume.affine @ np.diag([0.75, 0.75, 0.75, 1])
    voxels = ndimage.zoom(volume.array, 4 / 3, order=3, grid_mode=True, mode="nearest")
    affine[:3, 3] += volume.affine[:3, :3] @ np.full(3, -0.125)
    return Volume(voxels, affine=affine, coordinate_system="PATIENT")


CHANGES: dict[str, Callable[[Volume], Volume]] = {
    "as it is": lambda volume: volume,
    "mirrored": lambda volume: volume.with_array(np.ascontiguousarray(volume.array[::-1])),
    "chin down 15 degrees": _turned(0, -15),
    "chin up 15 degrees": _turned(0, 15),
    "rolled 10 degrees": _turned(1, 10),
    "turned 10 degrees": _turned(2, 10),
    "0.75 mm": _fine,
    "2 mm axial slices": _thick(2, 2),
    "3 mm axial slices": _thick(2, 3),
    "3 mm coronal slices": _thick(1, 3),
    "3 mm sagittal slices": _thick(0, 3),
    "5 mm axial slices (the header gate left out)": _thick(2, 5),
}
