"""What a terminal shows: the progress of long steps, and results in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from hilum.records.views import StudyView


def progress_bar(what: str, console: Console) -> Progress:
    """A bar with a count and the elapsed time."""
    return Progress(
        TextColumn(f"[bold]{what}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def progress_of_steps(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Shows how far a work of several steps is, on a terminal only, and is gone at the end.

    The function is told the name of a step, and how many of how many are done.
    """
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def told(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        yield told


def outcome_lines(study: "StudyView") -> list[str]:
    """The findings that stand, in words; where there are none, why.

    A run on fewer images, which a later one has replaced, says nothing any more.
    """
    items = [item for item in study.workitems if not item.superseded_by]
    if any(item.results for item in items):
        lines = (finding.in_words() for item in items for finding in item.findings)
        return [line for line in lines if line]
    return [f"no result of {item.module}: {item.state}, {item.reason}" for item in items]
