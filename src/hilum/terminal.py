"""What a terminal shows: the progress of long steps, and results in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


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


def in_words(finding: dict[str, Any]) -> str:
    """One finding of the records as a line of text; nothing for those that are pictures only."""
    match finding["kind"]:
        case "measurement":
            unit = {"ml": "mL"}.get(finding["unit"], finding["unit"])
            digits = 0 if unit == "%" else 2
            value = f"{finding['value']:.{digits}f}"
            if finding["uncertainty"]:
                value += f" ± {finding['uncertainty']:.{digits}f}"
            subject = f"{finding['of']}, {finding['what'].lower()}" if finding["of"] else ""
            return f"{subject or finding['what']}: {value} {unit}"
        case "change":
            unit = {"ml": "mL"}.get(finding["unit"], finding["unit"])
            difference = round(finding["value"], 2) + 0.0  # no zero with a minus
            text = f"{difference:+.2f} ± {finding['uncertainty']:.2f} {unit}"
            if finding["percent_per_year"] is not None:
                error = finding["percent_per_year_uncertainty"]
                rate = round(finding["percent_per_year"], 1) + 0.0
                text += f", {rate:+.1f} ± {error:.1f} % per year"
            return f"{finding['of']}, change since {finding['since']}: {text}"
        case "classification" | "refusal" | "note":
            return str(finding["text"])
    return ""


def outcome_lines(report: dict[str, Any]) -> list[str]:
    """The findings that stand, in words; where there are none, why.

    A run on fewer images, which a later one has replaced, says nothing any more.
    """
    items = [item for item in report["workitems"] if not item["superseded_by"]]
    if any(item["results"] for item in items):
        return [line for item in items for line in map(in_words, item["findings"]) if line]
    return [f"no result of {i['module']}: {i['state']}, {i['reason']}" for i in items]
