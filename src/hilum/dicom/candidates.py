"""One Series Instance UID may hold several volumes, and images that belong to none (pure).

Frames are split by what always makes them different volumes. By what only may, such as the number
of the acquisition, they are split where they would lie in one place otherwise: a step-and-shoot CT
numbers every slice, and is one volume all the same.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.dicom.frames import Frame, Vector
from hilum.dicom.geometry import along_normal, same_place
from hilum.wording import counted

SAME_DIRECTION = 0.01  # by which direction cosines of one volume may differ
MOST_VOLUMES = 2_000  # of one series that are judged; a long functional MR has some hundreds
OBLIQUE = 0.9  # a normal with a smaller component along every axis names no plane


@dataclass(frozen=True)
class Candidate:
    """Frames that may form one volume, and what tells them from the others of their series."""

    frames: tuple[Frame, ...]
    label: str = ""


@dataclass(frozen=True)
class Candidates:
    """The volumes that a series may hold; `aside` says what was left out, in words."""

    volumes: tuple[Candidate, ...]
    aside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Criterion:
    """What frames are told apart by: its `key`, and the words for one of `count` values."""

    key: Callable[[Frame], Hashable]
    words: Callable[[Hashable], str]
    name: str

    def label(self, value: Hashable, number: int, count: int) -> str:
        place = f"{self.name} {number} of {count}"
        words = self.words(value)
        return f"{place}: {words}" if words else place


def split(frames: Sequence[Frame]) -> Candidates:
    """The volumes that `frames`, all of one series, may form, each in the order given."""
    images, aside = _set_aside(frames)
    groups = [Candidate(tuple(images))]
    for criterion in (_frame_of_reference(images), *ALWAYS, _orientation()):
        groups = [part for group in groups for part in _by(criterion, group)]
    volumes = [part for group in groups for part in _where_repeated(group)]
    if (more := len(volumes) - MOST_VOLUMES) > 0:
        aside = (*aside, f"{more} of {len(volumes)} volumes set aside")
    return Candidates(tuple(volumes[:MOST_VOLUMES]), aside)


def _set_aside(frames: Sequence[Frame]) -> tuple[list[Frame], tuple[str, ...]]:
    """Leave out what is no slice of a volume, as long as something else is there."""
    kept, words = list(frames), []
    for is_out, one, without in (
        (_is_capture, "screenshot", ""),
        (lambda f: f.is_localizer, "localizer", ""),
        (lambda f: f.is_colour, "colour image", ""),
        (lambda f: f.position is None, "image", " without position"),
    ):
        rest = [frame for frame in kept if not is_out(frame)]
        if out := len(kept) - len(rest):
            if not rest:
                break
            words.append(f"{counted(out, one)}{without} set aside")
        kept = rest
    return kept, tuple(words)


def _is_capture(frame: Frame) -> bool:
    """Whether it is a Secondary Capture (PS3.3 A.8), not an image of a scanner."""
    return frame.instance.sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.7")


def _by(criterion: Criterion, part: Candidate) -> list[Candidate]:
    """`part` once for each value of `criterion`, the values in order."""
    groups: dict[Hashable, list[Frame]] = {}
    for frame in part.frames:
        groups.setdefault(criterion.key(frame), []).append(frame)
    if len(groups) < 2:
        return [part]
    values = sorted(groups, key=_rank)
    labels = [criterion.label(value, n, len(values)) for n, value in enumerate(values, start=1)]
    return [
        Candidate(tuple(groups[value]), ", ".join(filter(None, (part.label, label))))
        for value, label in zip(values, labels, strict=True)
    ]


def _where_repeated(part: Candidate) -> list[Candidate]:
    """`part` split until no two slices lie at one position.

    Where nothing tells them apart it stays whole, and is refused for that.
    """
    if not _overlaps(part.frames):
        return [part]
    parts = [part]
    for criterion in IF_REPEATED:
        finer = [found for one in parts for found in _finer(criterion, one)]
        if all(len(found.frames) > 1 for found in finer):
            parts = finer
    return parts if any(not _overlaps(found.frames) for found in parts) else [part]


def _finer(criterion: Criterion, part: Candidate) -> list[Candidate]:
    return _by(criterion, part) if _overlaps(part.frames) else [part]


def _overlaps(frames: Sequence[Frame]) -> bool:
    """Whether two of the slices lie at one position."""
    if len(frames) < 2 or any(f.position is None or f.orientation is None for f in frames):
        return False
    along = np.sort(along_normal(frames))
    return bool((np.diff(along) < same_place(frames[0])).any())


def _frame_of_reference(frames: Sequence[Frame]) -> Criterion:
    """Group by Frame of Reference. Images that state none belong to the only one there is."""
    stated = {frame.frame_of_reference for frame in frames} - {""}
    only = stated.pop() if len(stated) == 1 else ""
    return Criterion(lambda f: f.frame_of_reference or only, lambda _: "", "frame of reference")


def _orientation() -> Criterion:
    """Group by direction. Rounding does not make two directions of one."""
    found: list[Vector] = []
    same: dict[Vector, Vector] = {}
    directions = np.empty((MOST_VOLUMES, 6))  # those found, for one comparison with all of them

    def key(frame: Frame) -> Hashable:
        own = frame.orientation
        if own is None:
            return ()
        if own not in same:
            off = np.abs(directions[: len(found)] - own).max(axis=1)
            near = np.flatnonzero(off <= SAME_DIRECTION)
            same[own] = found[near[0]] if near.size else own
            if not near.size and len(found) < MOST_VOLUMES:
                directions[len(found)] = own
                found.append(own)
        return same[own]

    return Criterion(key, _plane, "orientation")


def _plane(orientation: Hashable) -> str:
    """What radiologists call an image plane of this direction."""
    if not isinstance(orientation, tuple) or len(orientation) != 6:
        return "not stated"
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    axis = int(normal.argmax())
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] >= OBLIQUE else "oblique"


def _rank(value: Hashable) -> tuple[int, float, str]:
    """Numbers in order, then everything else as text; what is not stated comes last."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (1, 0.0, str(value)) if value else (2, 0.0, "")


def _number(unit: str) -> Callable[[Hashable], str]:
    def words(value: Hashable) -> str:
        return f"{value:g}{unit}" if isinstance(value, int | float) else "not stated"

    return words


def _text(value: Hashable) -> str:
    return str(value) if value else "not stated"


def _vector(value: Hashable) -> str:
    return " ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else "none"


ALWAYS = (
    Criterion(lambda f: f.stack_id, _text, "stack"),
    Criterion(lambda f: f.echo_time, _number(" ms"), "echo"),
    Criterion(lambda f: f.b_value, _number(" s/mm2"), "b-value"),
    Criterion(lambda f: f.direction, _vector, "direction"),
)
IF_REPEATED = (
    Criterion(lambda f: f.time, _number(""), "time"),
    Criterion(lambda f: f.acquisition, _number(""), "acquisition"),
    Criterion(lambda f: f.kind, _text, "image type"),
    Criterion(lambda f: f.size, _vector, "size"),
    Criterion(lambda f: f.pixel_spacing, _vector, "pixel spacing"),
)
