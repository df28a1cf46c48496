"""Tables as commands print them: no value is ever broken or cut.

In a file or a pipe each row is one line, however long. On a terminal that is too narrow for that,
each row is a block with one line for each value.
"""

from itertools import zip_longest

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hilum.cli.app import out

ANY_WIDTH = 10**6  # columns


def print_table(table: Table, console: Console = out) -> None:
    """Print `table`, whose cells are texts, so that every value is whole."""
    anywhere = console.options.update(width=ANY_WIDTH)
    table.width = Measurement.get(console, anywhere, table).maximum
    if not console.is_terminal or table.width <= console.width:
        console.print(table)
        return
    for row in zip_longest(*(column.cells for column in table.columns)):
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                console.print(f"[bold]{column.header}[/]  {cell}" if column.header else cell)
        console.print()
