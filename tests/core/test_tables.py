"""Tables of commands: every value is whole, on a terminal of any width and in a pipe."""

import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

import hilum
import hilum_lab
from hilum.cli.tables import add_row, print_table
from hilum.wording import printable

HEADINGS = ("number", "patient ID", "")
VALUES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=90).map(printable)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=4)


def printed(rows: list[tuple[str, ...]], width: int, is_terminal: bool) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=is_terminal, soft_wrap=True, color_system=None
    )
    table = Table(*HEADINGS, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        add_row(table, *row)
    print_table(table, console)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


@example([("[bold]", "[/]", "\\")], 80)  # what is markup elsewhere
@given(ROWS, st.integers(10, 300))
def test_in_a_pipe_a_row_is_one_line_and_its_values_are_whole(
    rows: list[tuple[str, ...]], width: int
) -> None:
    _, *lines = printed(rows, width, False).splitlines()
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line.split() == [value for value in row if value]


@given(ROWS, st.integers(10, 300))
def test_on_a_terminal_every_value_is_whole(rows: list[tuple[str, ...]], width: int) -> None:
    shown = printed(rows, width, True)
    for row in rows:
        for value in row:
            assert value in shown
    lines = shown.splitlines()
    is_table = len(lines) == len(rows) + 1 and lines[0].startswith("number")
    assert is_table or lines.count("") >= len(rows), "each row is a block"


def test_what_fits_a_terminal_is_a_table() -> None:
    wide = printed([("1", "P1", "x")], 80, True).splitlines()
    assert [line.split() for line in wide] == [["number", "patient", "ID"], ["1", "P1", "x"]]
    narrow = printed([("1", "P1" * 50, "x"), ("2", "P2", "")], 80, True)
    first, second = f"number  1\npatient ID  {'P1' * 50}\nx\n", "number  2\npatient ID  P2\n"
    assert narrow == f"{first}\n{second}\n"


@pytest.mark.parametrize("package", [hilum, hilum_lab])
def test_no_command_prints_a_table_in_another_way(package: object) -> None:
    """By itself, rich breaks the values of a table that is wider than 80 columns."""
    (folder,) = package.__path__  # type: ignore[attr-defined]
    for file in Path(folder).rglob("*.py"):
        assert not re.search(r"\b(out|say)\.print\(\w*table", file.read_text()), file.name
