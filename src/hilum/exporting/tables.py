"""Rows become a file, CSV or Parquet, in bounded memory; the file appears when it is whole."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from hilum.errors import HilumError, MissingPartError
from hilum.exporting.rows import COLUMNS, ExportedRow

FORMULA = (  # with these a spreadsheet takes a text for a formula; the last four are full-width
    *("=", "+", "-", "@", "\t", "\r", "\n"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)
AS_WRITTEN: Mapping[str, Any] = {  # else DuckDB guesses the dialect, and texts can mislead it
    "auto_detect": False,
    "header": True,
    "delimiter": ",",
    "quotechar": '"',
    "escapechar": '"',
    "lineterminator": "\\r\\n",
    "parallel": False,  # a text may hold the end of a line
}
TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
INSTALL = (
    "to write Parquet, Hilum needs DuckDB, which is not installed: `pip install duckdb~=2.0.1` in "
    "its environment, or name a file that ends in .csv"
)


class TableFormat(StrEnum):
    """In which format an export is written, by the end of the file's name."""

    CSV = "csv"
    PARQUET = "parquet"


def format_of(file: Path) -> TableFormat:
    """The format that the name of a file asks for; `HilumError` if it asks for none of them."""
    suffix = file.suffix.lower().removeprefix(".")
    if suffix not in set(TableFormat):
        raise HilumError(f"{file} ends in neither .csv nor .parquet: name the file so")
    return TableFormat(suffix)


def write_table(file: Path, rows: Iterable[ExportedRow], left_out: Sequence[str] = ()) -> int:
    """Write `rows` to a new `file`, without the columns that are `left_out`; how many there are.

    Only the user who runs this may read it. What is broken off leaves nothing under its name.

    Raises
    ------
    HilumError
        The file is there already, or its name asks for no known format.
    MissingPartError
        DuckDB, which writes Parquet, is not installed.
    """
    names = [name for name in COLUMNS if name not in left_out]
    wanted = format_of(file)
    with _appearing(file) as unfinished:
        table = unfinished.with_suffix(".csv")
        with table.open("w", encoding="utf-8", newline="") as text:
            count = _write_csv(text, names, rows, for_people=wanted is TableFormat.CSV)
        if wanted is TableFormat.PARQUET:
            _to_parquet(table, unfinished, names)
    return count


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """A file to write, in a folder that only its owner may enter; it gets its name at the end."""
    if file.exists():
        raise HilumError(f"{file} is there already: name a file that is new")
    if not file.parent.is_dir():
        raise HilumError(f"{file.parent} is no folder: make it, or name another one")
    with TemporaryDirectory(prefix=".hilum-export-", dir=file.parent) as folder:
        unfinished = Path(folder) / f"export.{format_of(file)}"
        yield unfinished
        unfinished.chmod(0o600)
        unfinished.rename(file)


def _write_csv(
    text: TextIO, names: Sequence[str], rows: Iterable[ExportedRow], for_people: bool
) -> int:
    """Write the table; one `for_people` may be opened with a spreadsheet."""
    table = csv.writer(text)
    table.writerow(names)
    count = 0
    for row in rows:
        table.writerow([_cell(getattr(row, name), for_people) for name in names])
        count += 1
    return count


def _cell(value: object, for_people: bool) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if for_people and isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _to_parquet(table: Path, target: Path, names: Sequence[str]) -> None:
    """Have DuckDB write the CSV file `table` as Parquet, with the types of our columns."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingPartError(INSTALL) from error
    columns = {name: _type_of(name) for name in names}
    limits = {"memory_limit": "256MB", "threads": 1, "temp_directory": str(table.parent)}
    with duckdb.connect(config={**limits, "autoinstall_known_extensions": False}) as connection:
        rows = connection.read_csv(str(table), columns=columns, **AS_WRITTEN)
        rows.write_parquet(str(target), compression="zstd")


def _type_of(name: str) -> str:
    """The type of a column in SQL."""
    kind = COLUMNS[name]
    return next(sql for python, sql in TYPES.items() if kind in (python, python | None))
