"""What every long step shows in a terminal."""

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
