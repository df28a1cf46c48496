"""Was it right? What a module received, against the phantom and against an independent reader."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from hilum.offline.report import ReportState
from hilum_lab.odd_input.case import Case, MustReceive, MustRefuse
from hilum_lab.odd_input.phantom import GRADIENT, PhantomPlane, field
from hilum_lab.odd_input.readers import Read, grid_difference

SHARE_OF_VOXEL = 0.25  # of its smallest side: what a voxel may lie beside its true place
USUAL = re.compile(r": \w+ as the module needs; \d+ evenly spaced slices [\d.]+ mm apart")
ROUNDING = 1.01  # half a stored value, with a slope of at most 2


@dataclass(frozen=True)
class Heard:
    """What Hilum made of a case: the state, its words, and what the module received, or None."""

    state: ReportState
    words: str
    volume: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class JudgedCase:
    """One line of the table. `wrong` says what is not as it should be, "" if it is right."""

    case: Case
    files: int
    outcome: str
    wrong: str
    error_mm: float | None = None
    error_value: float | None = None
    judges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Errors:
    """How far a received volume is from what was scanned."""

    mm: float
    value: float
    faults: tuple[str, ...]


IndependentReader = Callable[[Path], Read]


def judged(case: Case, folder: Path, heard: Heard, reader: IndependentReader | None) -> JudgedCase:
    """The line of one case, whose files lie in `folder`."""
    exam = case.exam()
    errors = None
    if heard.volume is not None:
        errors = _errors(*heard.volume, exam.planes)
    verdicts = []
    judges: tuple[str, ...] = ()
    for right in case.right:
        if isinstance(right, MustRefuse):
            verdicts.append(_not_refused(right, heard))
            continue
        faults = _not_received(right, heard, errors)
        judges = ("phantom",)
        if right.readable and reader and heard.volume is not None:
            judges = ("phantom", reader.__name__)
            if text := grid_difference(*heard.volume, reader(folder)):
                faults.append(text)
        verdicts.append(faults)
    wrong = min(verdicts, key=len)
    return JudgedCase(
        case,
        len(exam.files),
        outcome_of(heard),
        "; ".join(wrong),
        errors.mm if errors else None,
        errors.value if errors else None,
        judges if errors else (),
    )


def outcome_of(heard: Heard) -> str:
    """What was received, or the words of the refusal."""
    if heard.volume is None:
        return f"{heard.state}: {heard.words}"
    array, affine = heard.volume
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    text = f"{len(array)} slices, {' x '.join(f'{side:.4g}' for side in sides)} mm"
    return f"{text}; {USUAL.sub('', heard.words)}"


def _not_refused(right: MustRefuse, heard: Heard) -> list[str]:
    faults = []
    if heard.volume is not None:
        faults.append("a module received it")
    if right.state and heard.state is not right.state:
        faults.append(f"it is {heard.state}, not {right.state}")
    return faults + _unsaid(right.words, heard)


def _not_received(right: MustReceive, heard: Heard, errors: Errors | None) -> list[str]:
    if heard.volume is None or errors is None:
        return ["no module received it", f"{right.slices} slices should have been"]
    faults = list(errors.faults)
    if heard.state is not ReportState.ANALYSED:
        faults.append(f"it is {heard.state}")
    if len(heard.volume[0]) != right.slices:
        faults.append(f"{len(heard.volume[0])} slices, not {right.slices}")
    return faults + _unsaid(right.words, heard)


def _unsaid(words: Sequence[str], heard: Heard) -> list[str]:
    return [f"it does not say /{w}/" for w in words if not re.search(w, heard.words, re.DOTALL)]


def _nearest(
    planes: Sequence[PhantomPlane], places: np.ndarray, values: np.ndarray
) -> PhantomPlane:
    """The plane whose corners lie at `places`; of several, the one with these values."""
    apart = _apart(planes, places)
    near = [p for p, mm in zip(planes, apart, strict=True) if mm <= apart.min() + 0.01]
    return min(near, key=lambda p: float(np.abs(values - p.values()).max()))


def _too_far(affine: np.ndarray, worst_mm: float, worst_value: float) -> Iterator[str]:
    smallest = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    if worst_mm > SHARE_OF_VOXEL * smallest:
        yield f"{worst_mm:.2f} mm beside its place"
    if worst_value > ROUNDING + float(np.linalg.norm(GRADIENT)) * SHARE_OF_VOXEL * smallest:
        yield f"values {worst_value:.0f} off"


def _errors(array: np.ndarray, affine: np.ndarray, scanned: Sequence[PhantomPlane]) -> Errors:
    """Find for each received slice the plane that it is, and compare corners and values."""
    slices, rows, columns = array.shape
    corners = list(product((0, rows - 1), (0, columns - 1)))
    faults: list[str] = []
    used: list[PhantomPlane] = []
    worst_mm = worst_value = 0.0
    for number in range(slices):
        indices = np.array([(number, r, c) for r, c in corners], float)
        places = indices @ affine[:3, :3].T + affine[:3, 3]
        fitting = [plane for plane in scanned if plane.size == (rows, columns)]
        if not fitting:
            return Errors(np.inf, np.inf, ("no plane of that size was scanned",))
        plane = _nearest(fitting, places, array[number])
        used.append(plane)
        worst_mm = max(worst_mm, float(_apart([plane], places)[0]))
        by_affine = field(_grid(affine, number, rows, columns)) + plane.offset
        worst_value = max(worst_value, float(np.abs(array[number] - by_affine).max()))
        if float(np.abs(array[number] - plane.values()).max()) > ROUNDING:
            faults.append("values are not those of the plane")
    faults += _too_far(affine, worst_mm, worst_value)
    if len({plane.offset for plane in used}) > 1:
        faults.append("what was scanned apart is mixed")
    if len(set(used)) != slices:
        faults.append("one plane is there twice")
    return Errors(worst_mm, worst_value, tuple(dict.fromkeys(faults)))


def _grid(affine: np.ndarray, number: int, rows: int, columns: int) -> np.ndarray:
    """Where the voxels of slice `number` lie by the affine: (rows, columns, 3)."""
    indices = np.stack(np.meshgrid(number, *map(np.arange, (rows, columns)), indexing="ij"), -1)
    return np.asarray(indices[0] @ affine[:3, :3].T + affine[:3, 3])


def _apart(planes: Sequence[PhantomPlane], corners: np.ndarray) -> np.ndarray:
    """For each plane, the greatest distance of a corner from where the affine has it, in mm."""
    own = np.stack([plane.corners for plane in planes])
    return np.asarray(np.linalg.norm(own - corners, axis=2).max(axis=1))
