"""Where slices lie in the patient: order, spacing, gaps and error, from position and orientation.

The volume that a module gets is a right-angled grid: its slices are as far apart as the first and
the last one divided by the number of steps, and lie along the normal of the image plane. The error
of a stack is the greatest distance of any corner of any slice from that grid. Nothing else is
judged: jitter and rounding pass, drift and tilt do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from hilum.dicom.frames import Frame
from hilum.wording import counted

TOLERANCE = 0.25  # of the smallest voxel side: the greatest error of a stack that is a volume
SAME_PLACE = 0.05  # of the smallest pixel side: slices closer than that lie at one position
LEAST_DISTANCE = 1e-3  # mm
NOT_UNIT = 0.01  # by which direction cosines may miss unit length and right angles
RUN = 3  # wider steps side by side at which slices are unevenly spaced, not missing


class Flaw(Enum):
    """Why slices form no volume."""

    UNPLACED = "a slice does not say where it lies"
    SINGLE = "there is one slice only"
    DIFFERENT = "slices differ in size, pixel spacing or direction"
    REPEATED = "several slices lie at one position"
    MISSING = "slices are missing between the first and the last"
    UNEVEN = "the distances between slices differ"
    TILTED = "each slice is shifted sideways against the one before (gantry tilt)"


@dataclass(frozen=True)
class Stack:
    """Slices in spatial order.

    `order` indexes the frames along the slice normal; `spacing` is in mm; `missing` counts slices
    absent between the first and the last; `problem` says in words why they form no volume, `flaw`
    of which kind that is; both are None where they do. `error` is the greatest distance, in mm, of
    a slice from the right-angled grid, and `tolerance` what it may be. `shift` is how far each
    slice is shifted sideways, in mm along the columns and along the rows, for tilted ones.
    """

    order: tuple[int, ...]
    spacing: float | None = None
    missing: int = 0
    flaw: Flaw | None = None
    problem: str | None = None
    error: float = 0.0
    tolerance: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


def stack_of(frames: Sequence[Frame]) -> Stack:
    """Sort `frames` along their common normal and judge whether they form a regular volume."""
    everything = tuple(range(len(frames)))
    if unplaced := _unplaced(frames):
        return Stack(everything, flaw=unplaced[0], problem=unplaced[1])
    placed = _Placed.of(frames)
    order = tuple(placed.order.tolist())
    if different := _different(frames):
        return Stack(order, flaw=Flaw.DIFFERENT, problem=different)
    steps = np.diff(placed.along)
    close = same_place(frames[0])
    repeated = int((steps < close).sum())
    if repeated:
        text = f"{repeated + 1 if repeated == len(steps) else repeated} of {len(frames)} slices lie"
        text += " where another one lies"
        return Stack(order, flaw=Flaw.REPEATED, problem=text)
    counts = _counts(steps)
    missing = int((counts - 1).sum())
    spacing = float(placed.along[-1] - placed.along[0]) / int(counts.sum())
    sides = (*(frames[0].pixel_spacing or ()), spacing)
    tolerance = TOLERANCE * min(sides)
    if missing and _is_mixed(counts, [frames[i] for i in order]):
        return Stack(order, spacing, 0, Flaw.UNEVEN, _uneven(steps), tolerance=tolerance)
    places = np.concatenate([[0], np.cumsum(counts)])
    if missing:
        words = f"{counted(missing, 'slice')} missing between first and last"
        even = np.abs(placed.along - placed.along[0] - places * spacing).max() <= tolerance
        if even:
            return Stack(order, spacing, missing, Flaw.MISSING, words, tolerance=tolerance)
        return Stack(order, spacing, 0, Flaw.UNEVEN, _uneven(steps), tolerance=tolerance)
    return _judged(placed, places, spacing, tolerance, steps)


def same_place(frame: Frame) -> float:
    """The distance in mm below which two slices like `frame` lie at one position."""
    return max(LEAST_DISTANCE, SAME_PLACE * min(frame.pixel_spacing or (1.0,)))


def along_normal(frames: Sequence[Frame]) -> np.ndarray:
    """The place of each frame along the normal of the first, in mm, in the order given."""
    positions = np.array([frame.position for frame in frames], float)
    return np.asarray(positions @ slice_normal(frames[0]))


def slice_normal(frame: Frame) -> np.ndarray:
    """Unit normal of the image plane: row direction x column direction, LPS."""
    assert frame.orientation is not None
    normal = np.cross(frame.orientation[:3], frame.orientation[3:])
    return np.asarray(normal / np.linalg.norm(normal))


def volume_affine(first: Frame, spacing: float) -> np.ndarray:
    """4x4 affine from (slice, row, column) indices to LPS mm, for the stack that begins there."""
    assert first.orientation is not None
    assert first.pixel_spacing is not None
    assert first.position is not None
    affine = np.eye(4)
    normal, down, across = _axes(first)
    affine[:3, 0] = normal * spacing
    affine[:3, 1] = down * first.pixel_spacing[0]
    affine[:3, 2] = across * first.pixel_spacing[1]
    affine[:3, 3] = first.position
    return affine


@dataclass(frozen=True, eq=False)
class _Placed:
    """Frames in order along their normal.

    `along` holds their places in mm, `corners` (frames, 4, 3) where the outer pixels of each lie,
    `grid` (4, 3) where those of the first lie if its axes are at right angles; all in LPS mm.
    """

    order: np.ndarray
    along: np.ndarray
    corners: np.ndarray
    grid: np.ndarray
    normal: np.ndarray
    down: np.ndarray
    across: np.ndarray

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> "_Placed":
        along = along_normal(frames)
        order = np.argsort(along, kind="stable")
        positions = np.array([frame.position for frame in frames], float)[order]
        cosines = np.array([frame.orientation for frame in frames], float)[order]
        spacing = np.array([frame.pixel_spacing for frame in frames], float)[order]
        rows, columns = frames[0].size or (1, 1)
        down = cosines[:, 3:] * spacing[:, :1] * (rows - 1)
        across = cosines[:, :3] * spacing[:, 1:] * (columns - 1)
        corners = np.stack([0 * down, down, across, down + across], 1) + positions[:, None]
        normal, unit_down, unit_across = _axes(frames[int(order[0])])
        sides = unit_down * spacing[0, 0] * (rows - 1), unit_across * spacing[0, 1] * (columns - 1)
        grid = np.stack([0 * sides[0], sides[0], sides[1], sides[0] + sides[1]]) + positions[0]
        return cls(order, along[order], corners, grid, normal, unit_down, unit_across)


def _judged(
    placed: _Placed, places: np.ndarray, spacing: float, tolerance: float, steps: np.ndarray
) -> Stack:
    """The stack whose slices are all there, and whether they lie on the right-angled grid."""
    order = tuple(placed.order.tolist())
    grid = placed.grid + (places * spacing)[:, None, None] * placed.normal
    off = placed.corners - grid
    error = float(np.linalg.norm(off, axis=-1).max())
    found = Stack(order, spacing, error=error, tolerance=tolerance)
    if error <= tolerance:
        return found
    # How the first corner of each slice drifts sideways, as a straight line through the first.
    sideways = np.stack([off[:, 0] @ placed.down, off[:, 0] @ placed.across], 1)
    weights = places / max(1.0, float(places @ places))
    per_step = weights @ sideways
    drift = places[:, None] * per_step
    leaning = drift @ np.stack([placed.down, placed.across])
    left = float(np.linalg.norm(off - leaning[:, None], axis=-1).max())
    if left <= tolerance:
        shift = (float(per_step[0]), float(per_step[1]))
        angle = np.degrees(np.arctan2(np.hypot(*shift), spacing))
        text = f"gantry tilt of {angle:.1f}\N{DEGREE SIGN}, the last slice is {error:.1f} mm off"
        return replace(found, flaw=Flaw.TILTED, problem=text, shift=shift)
    uneven = float(np.abs((placed.along - placed.along[0]) - places * spacing).max())
    if uneven > tolerance:
        return replace(found, flaw=Flaw.UNEVEN, problem=_uneven(steps))
    text = f"slices are shifted or turned against each other by up to {error:.1f} mm"
    return replace(found, flaw=Flaw.DIFFERENT, problem=text)


def _counts(steps: np.ndarray) -> np.ndarray:
    """How many times the distance of neighbours each step is; at least 1."""
    smallest = float(steps.min())
    counts = np.maximum(1, np.round(steps / smallest))
    # The smallest step is a little too small where slices jitter: neighbours tell the distance.
    usual = float(np.mean(steps[counts == 1]))
    return np.maximum(1, np.round(steps / usual)).astype(np.int64)


def _is_mixed(counts: np.ndarray, ordered: Sequence[Frame]) -> bool:
    """Whether wider steps are how the series was planned, not slices that are missing.

    The numbers of the images tell: they go on across several wider steps. Where they tell nothing,
    several wider steps side by side do.
    """
    wide = counts > 1
    numbers = [frame.instance.number for frame in ordered]
    if not any(frame.instance.is_multi_frame for frame in ordered) and None not in numbers:
        steps = np.abs(np.diff(np.array(numbers, float)))
        if (steps == counts).all():
            return False
        if (steps == 1).all():
            return int(wide.sum()) >= RUN
    longest = length = 0
    for is_wide in wide.tolist():
        length = length + 1 if is_wide else 0
        longest = max(longest, length)
    return longest >= RUN and longest == int(wide.sum()) and len(set(counts[wide].tolist())) == 1


def _uneven(steps: np.ndarray) -> str:
    """Describe distances that differ."""
    rounded = sorted(set(np.round(steps, 1).tolist()))
    if len(rounded) == 2:
        return f"uneven slice spacing ({rounded[0]:g} and {rounded[1]:g} mm)"
    low, high = float(steps.min()), float(steps.max())
    return f"uneven slice spacing ({low:.3g} to {high:.3g} mm)"


def _unstated(frames: Sequence[Frame]) -> str:
    """What some of the frames do not state of their place; "" if all state everything."""
    if any(f.position is None or f.orientation is None for f in frames):
        return "position or orientation"
    if any(f.pixel_spacing is None for f in frames):
        return "pixel spacing"
    return "rows or columns" if any(f.size is None for f in frames) else ""


def _unplaced(frames: Sequence[Frame]) -> tuple[Flaw, str] | None:
    """Why the frames cannot be sorted at all."""
    if not frames:
        return Flaw.UNPLACED, "no image with pixels"
    if len(frames) < 2:
        return Flaw.SINGLE, "a single slice"
    if unstated := _unstated(frames):
        return Flaw.UNPLACED, f"slices without {unstated}"
    orientation = np.array([f.orientation for f in frames], float)
    lengths = np.linalg.norm(orientation.reshape(-1, 2, 3), axis=2)
    cosine = np.einsum("ij,ij->i", orientation[:, :3], orientation[:, 3:])
    if np.abs(lengths - 1).max() > NOT_UNIT or np.abs(cosine).max() > NOT_UNIT:
        text = "the direction cosines are not two perpendicular unit vectors"
        return Flaw.UNPLACED, text
    return None


def _different(frames: Sequence[Frame]) -> str | None:
    """Name what slices differ in, apart from their distances."""
    references = {f.frame_of_reference for f in frames} - {""}
    if len(references) > 1:
        return f"slices of {len(references)} frames of reference"
    if len({f.size for f in frames}) > 1:
        return "slices of different size"
    spacing = np.array([f.pixel_spacing for f in frames], float)
    if np.abs(spacing - spacing[0]).max() > 0.01 * spacing[0].min():
        return "slices with different pixel spacing"
    return None


def _axes(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors at right angles, LPS: along the normal, down a column, across a row."""
    assert frame.orientation is not None
    across = np.array(frame.orientation[:3], float)
    across /= np.linalg.norm(across)
    normal = slice_normal(frame)
    return normal, np.cross(normal, across), across
