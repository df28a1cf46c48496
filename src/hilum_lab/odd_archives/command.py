"""`hilum archives`: deliver to all odd archives, print what went wrong, write the table."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hilum.logs import silence_libraries
from hilum.terminal import progress_of_steps
from hilum_lab.odd_archives.cases import CASES
from hilum_lab.odd_archives.place import only as chosen_by
from hilum_lab.odd_archives.run import run
from hilum_lab.odd_archives.table import as_markdown


def archives(out: Path | None, only: str) -> int:
    """Try the archives whose title holds `only`; the exit status is 0 if all went right."""
    silence_libraries()
    say = Console(stderr=True, highlight=False, soft_wrap=True)
    chosen = chosen_by(CASES, only)
    with TemporaryDirectory(prefix="hilum-archives-") as work, progress_of_steps(say) as progress:
        rows = run(chosen, Path(work), progress)
    wrong = [row for row in rows if row.wrong]
    for row in wrong:
        said = f"{row.case.group}: {row.case.name}: {row.wrong}"
        say.print(f"wrong: {said} ({row.before.text})", markup=False)
        if row.after:
            say.print(f"    after the cure: {row.after.text}", markup=False)
    say.print(f"{len(rows) - len(wrong)} of {len(rows)} are right")
    if out:
        out.write_text(as_markdown(rows))
    return 1 if wrong else 0
