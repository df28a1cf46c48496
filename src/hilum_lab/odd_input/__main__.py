"""`python -m hilum_lab.odd_input`: run all cases, print those that went wrong, write the table."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from hilum.logs import silence_libraries
from hilum.terminal import progress_of_steps
from hilum_lab.odd_input.cases import CASES
from hilum_lab.odd_input.readers import simple_itk
from hilum_lab.odd_input.run import run
from hilum_lab.odd_input.table import as_markdown

say = Console(stderr=True, highlight=False, soft_wrap=True)


def main(
    out: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    only: Annotated[str, typer.Option(help="Only cases whose title holds these words.")] = "",
) -> None:
    """Give odd input to `hilum run` and judge what a module received of it."""
    silence_libraries()
    chosen = [case for case in CASES if only in case.title]
    with TemporaryDirectory() as work, progress_of_steps(say) as progress:
        rows = run(chosen, Path(work), simple_itk, progress)
    wrong = [row for row in rows if row.wrong]
    for row in wrong:
        say.print(f"wrong: {row.case.title}: {row.wrong} ({row.outcome})", markup=False)
    say.print(f"{len(rows) - len(wrong)} of {len(rows)} are right")
    if out:
        out.write_text(as_markdown(rows))
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
