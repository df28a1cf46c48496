"""The head of the sample exam: Colin27 laid into a scanner, in three contrasts.

Colin27 is a real, healthy person (Holmes et al. 1998), the mean of 27 scans, stretched to the MNI
space, which makes heads about a tenth too large and tilts them. `SCALE` and `PITCH` put the head
back to its usual size and to the way heads lie in a scanner.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Image
from scipy import sparse
from scipy.ndimage import gaussian_filter

from hilum.errors import MissingPartError

TEMPLATES = Path("/usr/share/mricron/templates")

SHAPE = (160, 224, 208)  # scanner voxels of 1 mm: to the left, to the back, to the head (LPS)
SCALE = 0.9
PITCH = 12.0  # degrees the chin is raised against the MNI space
CENTRE = (90.0, 109.0, 66.0)  # template voxel in the middle of the scanner

Curve = Sequence[tuple[int, int]]
MAXIMUM = 1020  # brightest T1 intensity


def t1() -> np.ndarray:
    """T1 intensities, uint16 of shape `SHAPE`."""
    return np.asarray(np.clip(_to_scanner(_template("ch2")) * 4, 0, MAXIMUM), dtype=np.uint16)


def simulated(intensities: np.ndarray, brain: Curve) -> np.ndarray:
    """Another contrast: `brain` maps the intensities inside the skull, a fixed curve the others."""
    outside = np.array([(0, 0), (60, 10), (300, 180), (700, 420), (MAXIMUM, 620)]).T
    inside = np.array(brain).T
    weight = gaussian_filter(_to_scanner(_template("ch2bet") > 0), 1.0)
    levels = np.arange(MAXIMUM + 1)
    within = np.interp(levels, *inside).astype(np.float32)[intensities]
    without = np.interp(levels, *outside).astype(np.float32)[intensities]
    return np.asarray(np.clip(weight * within + (1 - weight) * without, 0, None))


def _template(name: str) -> np.ndarray:
    path = TEMPLATES / f"{name}.nii.gz"
    if not path.is_file():
        raise MissingPartError(
            f"{path} is missing; the sample exam is made from it: sudo apt-get install mricron-data"
        )
    return np.asarray(Nifti1Image.from_filename(path).dataobj)


def _to_scanner(template: np.ndarray) -> np.ndarray:
    """Resample a template (RAS, 1 mm) to the scanner's grid by cubic convolution.

    The tilt leaves the left-right axis alone, so one sparse matrix serves every sagittal plane;
    this is ten times as quick as a general affine transform.
    """
    columns, rows = template.shape[1:]
    left, back, up = ((np.arange(n) - (n - 1) / 2) / SCALE for n in SHAPE)
    front, up = (grid.ravel() for grid in np.meshgrid(-back, up, indexing="ij"))
    cosine, sine = np.cos(np.deg2rad(PITCH)), np.sin(np.deg2rad(PITCH))
    at, weights = _taps(cosine * front + sine * up + CENTRE[1], columns)
    at_up, weights_up = _taps(cosine * up - sine * front + CENTRE[2], rows)
    index = (at[:, None] * rows + at_up[None]).reshape(16, -1).T
    weight = (weights[:, None] * weights_up[None]).reshape(16, -1).T
    plane = sparse.csr_array(
        (weight.ravel(), index.ravel(), np.arange(0, weight.size + 1, 16)),
        shape=(len(weight), columns * rows),
    )
    at, weights = _taps(CENTRE[0] - left, template.shape[0])
    across = np.zeros((SHAPE[0], template.shape[0]), np.float32)
    np.add.at(across, (np.arange(SHAPE[0]), at), weights)
    sagittal = across @ template.reshape(len(template), -1).astype(np.float32)
    return np.asarray((plane @ np.ascontiguousarray(sagittal.T)).T.reshape(SHAPE))


def _taps(points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (4, points) of cubic convolution (Keys 1981); zero outside."""
    base = np.floor(points).astype(np.intp)
    t = (points - base).astype(np.float32)
    weights = np.stack(
        [
            ((-0.5 * t + 1) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1,
            ((-1.5 * t + 2) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ]
    )
    index = base + np.arange(-1, 3)[:, None]
    inside = (index >= 0) & (index < size)
    return np.clip(index, 0, size - 1), np.where(inside, weights, np.float32(0))
