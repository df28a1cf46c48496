"""Measurements in words and numbers, ready to print: as rows, and as a grid of left and right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from pydicom.sr.coding import Code

from hilum.checks import Colour
from hilum.dicom import codes
from hilum.findings import TELLING, Classification, Measurement, Structure
from hilum.printing import PLUS_MINUS, percent

ONE_DEVIATION = f"{PLUS_MINUS} is one standard deviation"
WITHIN = "within measurement error"
BEYOND = "beyond measurement error"
LIMIT = (
    f"Beyond measurement error: {TELLING} standard deviations or more, if scanner and protocol are"
    " the same"
)
DEFINITION = "Asymmetry is 100 x (left - right) / mean of both"
SIDES = (codes.LEFT, codes.RIGHT)


@dataclass(frozen=True)
class Row:
    """One line of the results; `remark` is a few words that belong below it."""

    label: str
    value: str
    uncertainty: str = ""
    unit: str = ""
    colour: Colour | None = None
    remark: str = ""

    @property
    def rest(self) -> str:
        """The text that follows the value."""
        parts = (self.uncertainty and f"{PLUS_MINUS} {self.uncertainty}", self.unit)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class GridLine:
    """A structure, or a part of the one above it, with a cell for each column of its grid."""

    name: str
    cells: tuple[Row | None, ...]
    is_part: bool = False


@dataclass(frozen=True)
class Grid:
    """Volumes of segments, in mL: structures and their parts down, sides across.

    Without sides there is one column and it has no name.
    """

    columns: tuple[str, ...]
    lines: tuple[GridLine, ...]
    segments: tuple[Structure, ...]

    @classmethod
    def of(cls, volumes: Mapping[Structure, Row]) -> "Grid | None":
        """The grid of the segments that fit; None if there are none.

        A structure (one code) fits if it has several segments, no two of the same part and side,
        and either all have a side or none has. Without a side stand only structures where no other
        has one.
        """
        fitting = [s for s in _structures(volumes) if _fits(s, volumes)]
        chosen = [s for s in fitting if s[0].side] or fitting
        if not chosen:
            return None
        segments = tuple(chain.from_iterable(chosen))
        sides = _sides(segments)
        lines = chain.from_iterable(_lines(s, sides, volumes) for s in chosen)
        return cls(tuple(side.meaning if side else "" for side in sides), tuple(lines), segments)


def _structures(segments: Iterable[Structure]) -> list[list[Structure]]:
    """The segments of each code, in the order in which the codes come first."""
    structures: dict[Code, list[Structure]] = {}
    for segment in segments:
        structures.setdefault(segment.code, []).append(segment)
    return list(structures.values())


def _sides(segments: Iterable[Structure]) -> list[Code | None]:
    """Those that the segments have; None alone if they have none."""
    present = {segment.side for segment in segments}
    return [side for side in SIDES if side in present] or [None]


def _fits(structure: Sequence[Structure], volumes: Mapping[Structure, Row]) -> bool:
    places = {(s.modifier, s.side) for s in structure}
    sides = {s.side for s in structure}
    is_sided_or_not = sides <= set(SIDES) or sides == {None}
    in_ml = all(volumes[s].unit == "mL" for s in structure)
    return 1 < len(structure) == len(places) and is_sided_or_not and in_ml


def _name_of_whole(structure: Sequence[Structure]) -> str:
    # The code says less than a label, but a label with a side would stand before both columns.
    whole = next((s.label for s in structure if not s.modifier and not s.side), None)
    return whole or structure[0].code.meaning


def _lines(
    structure: Sequence[Structure], sides: Sequence[Code | None], volumes: Mapping[Structure, Row]
) -> list[GridLine]:
    """The whole first, then its parts in the order they were given."""
    cells = {(s.modifier, s.side): volumes[s] for s in structure}
    parts = list(dict.fromkeys(s.modifier for s in structure if s.modifier))
    rows = {part: tuple(cells.get((part, side)) for side in sides) for part in (None, *parts)}
    name = _name_of_whole(structure)
    if not any(rows[None]):  # parts without a whole: each line stands for itself
        return [GridLine(f"{name}, {_words(part)}", rows[part]) for part in parts]
    below = [GridLine(_words(part), rows[part], is_part=True) for part in parts]
    return [GridLine(name, rows[None]), *below]


def _words(part: Code) -> str:
    return str(part.meaning.lower())


def row_of(measurement: Measurement) -> Row:
    printed = measurement.quantity.printed()
    row = Row(measurement.label, *printed, measurement.of.colour if measurement.of else None)
    return _with_direction(row, measurement) if measurement.code == codes.ASYMMETRY else row


def rows_of_scores(classification: Classification) -> tuple[Row, ...]:
    """A row for each score, in per cent."""
    shares = ((score.label, percent(score.value)) for score in classification.scores)
    return tuple(Row(label, share.removesuffix(" %"), unit="%") for label, share in shares)


def _with_direction(row: Row, asymmetry: Measurement) -> Row:
    """An asymmetry (left - right) in words: nobody has to know what its sign means."""
    size = f"{abs(asymmetry.value):.0f} {row.unit}"
    direction = "smaller" if asymmetry.value < 0 else "larger"
    words = f"left {direction} by {size}" if round(asymmetry.value) else size
    remark = ""
    if asymmetry.uncertainty:
        is_telling = abs(asymmetry.value) >= TELLING * asymmetry.uncertainty
        remark = BEYOND if is_telling else WITHIN
    error = row.uncertainty and f"{row.uncertainty} {row.unit}"
    return replace(row, label="Asymmetry", value=words, uncertainty=error, unit="", remark=remark)
