"""Where a plane lies, in words: a slice of the source by its own number, or a position in mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.dicom.series import Series
from hilum.printing import signed

AXES = ("x", "y", "z")
# Not "L 26 mm": its origin is no middle of the patient, so a right structure may lie at L.
LEGEND = "x, y, z: the scanner's coordinates, which grow to the patient's left, back and head."
LONGEST = 24  # characters of a series description, in a caption


@dataclass(frozen=True)
class PlaneLocation:
    """Where a plane lies: `words` for a caption, `mark` for a small picture."""

    words: str
    mark: str
    is_source: bool

    @classmethod
    def at(cls, point: np.ndarray, normal: np.ndarray) -> "PlaneLocation":
        """The place of a plane through `point` (LPS, mm), by the axis that it lies across most."""
        axis = int(np.argmax(np.abs(normal)))
        mark = f"{AXES[axis]} = {signed(float(point[axis]), 1)}"
        return cls(f"{mark} mm", mark, is_source=False)


def slices_of(series: Series, analysed: Sequence[Series] = ()) -> tuple[PlaneLocation, ...]:
    """The slices of `series` in spatial order, by the numbers that every viewer shows.

    Where several series were `analysed`, a caption names this one. None if a slice has no number,
    or two have the same: then a number would lead to the wrong image.
    """
    names = [frame.name for frame in series.frames]
    numbered = all(frame.instance.number is not None for frame in series.frames)
    if not numbered or len(set(names)) < len(names):
        return ()
    of = f"{_name(series, analysed)}, " if len(analysed) > 1 else ""
    return tuple(
        PlaneLocation(of + name, name.removeprefix("image "), is_source=True) for name in names
    )


def _name(series: Series, analysed: Sequence[Series]) -> str:
    number = series.header.integer("SeriesNumber")
    numbers = [each.header.integer("SeriesNumber") for each in analysed]
    if number is not None and numbers.count(number) == 1:
        return f"series {number}"
    return series.description[:LONGEST] or "unnamed series"
