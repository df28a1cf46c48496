"""`hilum odd-input`: run all cases, print those that went wrong, write the table."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hilum.errors import HilumError
from hilum.logs import silence_libraries
from hilum.terminal import progress_of_steps
from hilum_lab.odd_input.cases import CASES
from hilum_lab.odd_input.readers import simple_itk
from hilum_lab.odd_input.run import run
from hilum_lab.odd_input.table import as_markdown


def odd_input(out: Path | None, only: str) -> int:
    """Run the cases whose title holds `only`; the exit status is 0 if all went right."""
    silence_libraries()
    say = Console(stderr=True, highlight=False, soft_wrap=True)
    chosen = [case for case in CASES if only in case.title]
    if not chosen:
        raise HilumError("no case has that in its title; `docs/explanation/odd-input.md` lists all")
    with TemporaryDirectory() as work, progress_of_steps(say) as progress:
        rows = run(chosen, Path(work), simple_itk, progress)
    wrong = [row for row in rows if row.wrong]
    for row in wrong:
        say.print(f"wrong: {row.case.title}: {row.wrong} ({row.outcome})", markup=False)
    say.print(f"{len(rows) - len(wrong)} of {len(rows)} are right")
    if out:
        out.write_text(as_markdown(rows))
    return 1 if wrong else 0
