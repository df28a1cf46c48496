"""`hilum chaos`: inject faults, show one line each as it comes, then the table."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from hilum.cli.tables import print_table
from hilum.errors import HilumError
from hilum.logs import silence_libraries
from hilum_lab.chaos.registry import known_faults
from hilum_lab.chaos.runner import run
from hilum_lab.chaos.table import as_json, as_markdown, as_table, cells, sum_up
from hilum_lab.chaos.trial import Fault, TrialResult
from hilum_lab.network import parts
from hilum_lab.network.exam import make_exam


def chosen(words: Sequence[str], quick: bool) -> list[Fault]:
    """The faults whose name holds one of `words` (all of them without words)."""
    faults = [fault for fault in known_faults() if fault.quick or not quick]
    if words:
        faults = [fault for fault in faults if any(word in fault.name for word in words)]
    if not faults:
        raise HilumError("no fault has that in its name; `hilum chaos --list` shows them all")
    return faults


def templates(exams: Sequence[Path]) -> list[Path]:
    """Folders of studies to copy: `exams`, or the sample exam."""
    return list(exams) or [parts.sample("sample-exam", make_exam)]


def list_faults() -> None:
    """Every fault with its sentence."""
    out = Console(highlight=False, soft_wrap=True)
    for fault in known_faults():
        mark = " (quick)" if fault.quick else ""
        out.print(f"[bold]{escape(fault.name)}[/]{mark}: {escape(fault.sentence)}")


def write_markdown(outcomes: Sequence[TrialResult], file: Path) -> None:
    """The table so far, and all of it in one sentence."""
    file.write_text(f"{as_markdown(outcomes)}\n{sum_up(outcomes)}.\n")


def chaos(
    faults: Sequence[Fault],
    exams: Sequence[Path],
    whole: bool,
    to_json: bool,
    markdown: Path | None,
    logs: Path | None,
) -> int:
    """Inject `faults` and report; the exit status is 0 if all went well."""
    silence_libraries()
    say = Console(stderr=to_json, highlight=False, soft_wrap=True)
    outcomes: list[TrialResult] = []
    for outcome in run(faults, templates(exams), whole, logs):
        outcomes.append(outcome)
        if markdown:
            write_markdown(outcomes, markdown)
        name, *_, seconds, text = cells(outcome)
        colour = "dim" if outcome.skipped else "green" if outcome.good else "red"
        say.print(f"[{colour}]{len(outcomes)}/{len(faults)}[/] {escape(name)}  {seconds}  {text}")
    if to_json:
        sys.stdout.write(json.dumps(as_json(outcomes)) + "\n")
    else:
        say.print()
        print_table(as_table(outcomes), say)
    say.print(sum_up(outcomes))
    if markdown:
        write_markdown(outcomes, markdown)  # what was counted again may have changed
    return 0 if all(outcome.good for outcome in outcomes) else 1
