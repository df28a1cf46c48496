"""The outcomes as one table: for a terminal, as JSON, and as Markdown for the documentation."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from hilum.wording import counted
from hilum_lab.chaos.ledger import Count
from hilum_lab.chaos.trial import TrialResult

COLUMNS = ("fault", "accepted", "lost", "twice", "sent again", "inferences", "recovered", "outcome")
LEGEND = """\
*accepted*: images that the sender was told are safe (C-STORE status 0x0000). *lost*: of these, the
ones that are not on Hilum's disk, or that no result in the PACS names though one should. *twice*:
results beyond the first of a kind for the same images in one archive. *sent again*: sendings of a
result to an archive that had accepted it before; only a release by a person may do that.
*inferences*: how often a module was started.
*recovered*: seconds from the end of the fault to the last result in the PACS and in the second
archive, read back by Hilum."""


def cells(outcome: TrialResult) -> list[str]:
    """One row, in the order of `COLUMNS`."""
    if outcome.skipped:
        return [outcome.fault.name, *[""] * 6, f"skipped: {outcome.skipped}"]
    count = outcome.count
    recovery = "never" if outcome.recovery is None else f"{outcome.recovery:.1f} s"
    numbers = (count.accepted, count.lost, count.twice, count.sent_again, count.inferences)
    judgement = "good" if outcome.good else "; ".join(outcome.problems)
    return [outcome.fault.name, *map(str, numbers), recovery, judgement]


def as_table(outcomes: Sequence[TrialResult]) -> Table:
    """For a terminal."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for column in table.columns[1:7]:
        column.justify = "right"
    for outcome in outcomes:
        style = "dim" if outcome.skipped else "default" if outcome.good else "bold red"
        table.add_row(*map(escape, cells(outcome)), style=style)
    return table


def as_json(outcomes: Sequence[TrialResult]) -> list[dict[str, Any]]:
    """As plain values."""
    return [
        {
            "fault": outcome.fault.name,
            "sentence": outcome.fault.sentence,
            **vars(outcome.count),
            "recovered_seconds": outcome.recovery and round(outcome.recovery, 2),
            "good": outcome.good,
            "problems": outcome.problems,
            "skipped": outcome.skipped,
        }
        for outcome in outcomes
    ]


def as_markdown(outcomes: Sequence[TrialResult]) -> str:
    """For a page of the documentation: the sentence of each fault in place of its name."""
    lines = [LEGEND.replace("\n", " "), "", "| " + " | ".join(COLUMNS) + " |"]
    lines.append("|---|" + "--:|" * 6 + "---|")
    for outcome in outcomes:
        first, *rest = cells(outcome)
        lines.append("| " + " | ".join([f"**{first}**: {outcome.fault.sentence}", *rest]) + " |")
    return "\n".join(lines) + "\n"


def sum_up(outcomes: Sequence[TrialResult]) -> str:
    """All of it in one sentence."""
    injected = [outcome for outcome in outcomes if not outcome.skipped]
    total = sum((outcome.count for outcome in injected), Count())
    bad = sum(not outcome.good for outcome in injected)
    return (
        f"{len(injected)} faults, {total.accepted} images accepted, {total.lost} lost, "
        f"{total.twice} results twice, {total.sent_again} sent again; "
        f"{counted(bad, 'fault') if bad else 'no faults'} with a problem"
    )
