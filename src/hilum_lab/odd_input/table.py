"""The table of a run, as a page of the documentation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

from hilum_lab.odd_input.judge import JudgedCase

LONGEST = 240  # characters of a cell
COMMAND = "hilum odd-input --out docs/explanation/odd-input.md"
HEAD = f"""\
# Odd input

What a module receives of the odd things that hospitals send, or in what words they are refused.
Every series shows one phantom whose value is a linear function of the position in the patient, so
that values, order and affine prove each other. Each one went through `hilum run`, and its module
kept what it received; `hilum serve` reads and decides by the same code. The page is written by

    {COMMAND}

which makes the files, runs and judges them, and needs the packages of the tests.

- *mm*: the greatest distance between a corner of a received slice and where it was scanned. A
  quarter of the smallest voxel side is allowed.
- *value*: the greatest difference between a received voxel and the phantom's value where the affine
  puts that voxel. Stored values are whole numbers, so half a step of the slope is allowed, and what
  the distance explains.
- *judges*: the phantom; and SimpleITK, which read the source files wherever it can, and must have
  the same value in the same place.
- What is right stands in the code of each case, apart from Hilum's own.
"""


class GroupedCase(Protocol):
    """A case of a group of cases."""

    @property
    def group(self) -> str: ...


class TriedCase(Protocol):
    """What came of a case."""

    @property
    def case(self) -> GroupedCase: ...


Row = TypeVar("Row", bound=TriedCase)


def as_markdown(rows: Sequence[JudgedCase]) -> str:
    """The page, a section for each group of cases."""
    wrong = sum(bool(row.wrong) for row in rows)
    received = sum(row.error_mm is not None for row in rows)
    parts = [
        HEAD,
        f"{len(rows)} inputs: {received} received, {len(rows) - received} refused; "
        f"{len(rows) - wrong} right, {wrong} wrong.\n",
    ]
    head = "| | input | files | received, or the words of the refusal | mm | value | judges | |"
    parts += by_group(rows, (head, "|--:|---|--:|---|--:|--:|---|---|"), line_of)
    return "\n".join(parts)


def by_group(
    rows: Iterable[Row], head: tuple[str, str], line: Callable[[int, Row], str]
) -> Iterator[str]:
    """The lines of a section for each group of cases: its title, its head, a line for each row."""
    numbered = enumerate(rows, start=1)
    for title, group in groupby(numbered, key=lambda item: item[1].case.group):
        yield f"## {title}\n"
        yield from head
        yield from (line(number, row) for number, row in group)
        yield ""


def line_of(number: int, row: JudgedCase) -> str:
    """The line of one case, the `number`th of all."""
    case = row.case
    name = case.name if case.modality == "MR" else f"{case.name} ({case.modality})"
    cells = (
        str(number),
        name,
        str(row.files),
        _cell(row.outcome),
        "" if row.error_mm is None else f"{row.error_mm:.3f}",
        "" if row.error_value is None else f"{row.error_value:.1f}",
        ", ".join(row.judges),
        f"**wrong**: {_cell(row.wrong)}" if row.wrong else "right",
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Text that fits a cell and means nothing to Markdown."""
    short = text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} ..."
    return short.replace("|", "\\|").replace("<", "&lt;")
