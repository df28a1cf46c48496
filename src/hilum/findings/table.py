"""Words and numbers in rows and columns."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum import checks
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary.numbers import TableSummary

MOST_COLUMNS, MOST_ROWS = 8, 200

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Table(Finding):
    """A table with a title, the names of its columns, and rows of as many texts.

    At most 8 columns and 200 rows. A cell is a text on one line of at most 64 characters, "" where
    there is nothing to say. What other programs are to compute with is better a `Measurement`.
    """

    title: str
    columns: Cells
    rows: tuple[Cells, ...]
    image: str | None = None

    def __post_init__(self) -> None:
        title = checks.label("the title of a table", self.title)
        what = f"of the table {title!r}"
        columns = tuple(checks.label(f"a column {what}", name) for name in self.columns)
        rows = tuple(tuple(self.rows[n]) for n in range(len(self.rows)))
        if not 1 <= len(columns) <= MOST_COLUMNS or not 1 <= len(rows) <= MOST_ROWS:
            raise FindingError(
                f"the size {what} is {len(columns)} columns and {len(rows)} rows; there must be 1"
                f" to {MOST_COLUMNS} columns and 1 to {MOST_ROWS} rows"
            )
        if any(len(row) != len(columns) for row in rows):
            raise FindingError(f"the rows {what} do not all have {len(columns)} cells")
        cell = f"a cell {what}"
        settle(
            self,
            title=title,
            columns=columns,
            rows=tuple(tuple(c if c == "" else checks.label(cell, c) for c in r) for r in rows),
            image=checks.image(f"the image {what}", self.image),
        )

    def summary(self) -> TableSummary:
        return TableSummary(self.title, self.columns, self.rows, self.image)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each row as a line of text, for a report that has no tables."""
        pairs = (zip(self.columns, row, strict=True) for row in self.rows)
        said = (", ".join(f"{name}: {cell}" for name, cell in row if cell) for row in pairs)
        return tuple(f"{self.title} - {words}." for words in said if words)

    def texts(self) -> Iterable[str]:
        return self.title, *self.columns, *(cell for row in self.rows for cell in row)
