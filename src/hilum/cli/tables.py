"""Tables as commands print them: no value is ever broken or cut.

In a file or a pipe each row is one line, however long. On a terminal that is too narrow for that,
each row is a block with one line for each value.
"""

from itertools import zip_longest

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hilum.cli.app import out

ANY_WIDTH = 10**6  # columns


def add_row(table: Table, *values: str) -> None:
    """Add a row of values that hold no markup, whatever letters they have."""
    table.add_row(*map(Text, values))


def print_table(table: Table, console: Console = out) -> None:
    """Print `table`, whose rows were added by `add_row`, so that every value is whole."""
    anywhere = console.options.update(width=ANY_WIDTH)
    table.width = Measurement.get(console, anywhere, table).maximum
    if not console.is_terminal or table.width <= console.width:
        console.print(table)
        return
    for row in zip_longest(*(column.cells for column in table.columns)):
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                header = f"[bold]{column.header}[/]  " if column.header else ""
                console.print(header, cell, sep="")
        console.print()
