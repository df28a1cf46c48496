"""Where slices lie in the patient: order, spacing and gaps, from position and orientation only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.dicom.instance import Instance

SPACING_TOLERANCE = 0.02  # share of the slice spacing by which a slice may be off
DIRECTION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Stack:
    """Slices in spatial order.

    `order` indexes the instances along the slice normal; `spacing` is in mm; `missing` counts
    slices absent between the first and the last; `problem` says why they form no volume, or None.
    """

    order: tuple[int, ...]
    spacing: float | None
    missing: int
    problem: str | None


def stack_of(instances: Sequence[Instance]) -> Stack:
    """Sort `instances` along their common normal and judge whether they form a regular volume."""
    everything = tuple(range(len(instances)))
    problem = _problem_in_plane(instances)
    if problem:
        return Stack(everything, None, 0, problem)
    normal = slice_normal(instances[0])
    positions = np.array([instance.position for instance in instances])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    if (steps < 1e-3).any():
        return Stack(tuple(order.tolist()), None, 0, "several slices at one position")
    spacing = float(np.median(steps))
    counts = np.round(steps / spacing)
    missing = int((counts - 1).sum())
    problem = None
    if (np.abs(steps - counts * spacing) > SPACING_TOLERANCE * spacing).any() or (counts < 1).any():
        problem = "slices are not evenly spaced"
    elif missing:
        problem = f"{missing} slice{'s' if missing > 1 else ''} missing between first and last"
    elif _is_sheared(positions[order], normal, spacing):
        problem = "slices are shifted against each other (gantry tilt)"
    return Stack(tuple(order.tolist()), spacing, missing, problem)


def slice_normal(instance: Instance) -> np.ndarray:
    """Unit normal of the image plane: row direction x column direction, LPS."""
    assert instance.orientation is not None
    normal = np.cross(instance.orientation[:3], instance.orientation[3:])
    return np.asarray(normal / np.linalg.norm(normal))


def volume_affine(ordered: Sequence[Instance], spacing: float) -> np.ndarray:
    """4x4 affine from (slice, row, column) indices to LPS mm, for slices in spatial order."""
    first = ordered[0]
    assert first.orientation is not None
    assert first.pixel_spacing is not None
    assert first.position is not None
    affine = np.eye(4)
    affine[:3, 0] = slice_normal(first) * spacing
    affine[:3, 1] = first.orientation[3:] * first.pixel_spacing[0]
    affine[:3, 2] = first.orientation[:3] * first.pixel_spacing[1]
    affine[:3, 3] = first.position
    return affine


def _problem_in_plane(instances: Sequence[Instance]) -> str | None:
    if len(instances) < 2:
        return "a single slice"
    if any(i.position is None or i.orientation is None for i in instances):
        return "slices without position or orientation"
    if any(i.pixel_spacing is None for i in instances):
        return "slices without pixel spacing"
    first = instances[0]
    assert first.orientation is not None
    assert first.pixel_spacing is not None
    lengths = np.linalg.norm(first.orientation.reshape(2, 3), axis=1)
    if (
        abs(lengths - 1).max() > 0.01
        or abs(float(first.orientation[:3] @ first.orientation[3:])) > 0.01
    ):
        return "the direction cosines are not two perpendicular unit vectors"
    for instance in instances[1:]:
        if abs(instance.orientation - first.orientation).max() > DIRECTION_TOLERANCE:
            return "slices with different orientations"
        if abs(instance.pixel_spacing - first.pixel_spacing).max() > 1e-3:
            return "slices with different pixel spacing"
        if instance.size != first.size:
            return "slices of different size"
    return None


def _is_sheared(positions: np.ndarray, normal: np.ndarray, spacing: float) -> bool:
    steps = np.diff(positions, axis=0)
    sideways = steps - np.outer(steps @ normal, normal)
    return bool((np.linalg.norm(sideways, axis=1) > 0.05 * spacing).any())
