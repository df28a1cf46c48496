"""What a terminal shows: the progress of long steps, and results in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, assert_never

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hilum.summary import (
    ChangeSummary,
    ClassificationSummary,
    HeatMapSummary,
    MeasurementSummary,
    NoteSummary,
    RefusalSummary,
    SegmentSummary,
    Summary,
)

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


def in_words(finding: Summary) -> str:
    """One finding of the records as a line of text; nothing for those that are pictures only."""
    match finding:
        case MeasurementSummary():
            digits = 0 if finding.unit == "%" else 2
            value = f"{finding.value:.{digits}f}"
            if finding.uncertainty:
                value += f" ± {finding.uncertainty:.{digits}f}"
            subject = f"{finding.of}, {finding.what.lower()}" if finding.of else finding.what
            return f"{subject}: {value} {_shown(finding.unit)}"
        case ChangeSummary():
            difference = round(finding.value, 2) + 0.0  # no zero with a minus
            text = f"{difference:+.2f} ± {finding.uncertainty:.2f} {_shown(finding.unit)}"
            if finding.percent_per_year is not None:
                rate = round(finding.percent_per_year, 1) + 0.0
                text += f", {rate:+.1f} ± {finding.percent_per_year_uncertainty:.1f} % per year"
            return f"{finding.of}, change since {finding.since}: {text}"
        case ClassificationSummary() | RefusalSummary() | NoteSummary():
            return finding.text
        case SegmentSummary() | HeatMapSummary():
            return ""
    assert_never(finding)


def outcome_lines(study: "StudyView") -> list[str]:
    """The findings that stand, in words; where there are none, why.

    A run on fewer images, which a later one has replaced, says nothing any more.
    """
    items = [item for item in study.workitems if not item.superseded_by]
    if any(item.results for item in items):
        return [line for item in items for line in map(in_words, item.findings) if line]
    return [f"no result of {item.module}: {item.state}, {item.reason}" for item in items]


def _shown(unit: str) -> str:
    """A UCUM unit as people write it."""
    return "mL" if unit == "ml" else unit
