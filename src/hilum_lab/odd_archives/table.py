"""The table of a run, as a page of the documentation."""

import re
from collections.abc import Sequence

from hilum.records.states import DeliveryState
from hilum_lab.odd_archives.case import Act
from hilum_lab.odd_archives.place import CaseOutcome
from hilum_lab.odd_archives.run import TriedArchive
from hilum_lab.odd_input.table import by_group

LONGEST = 400  # characters of a cell
PORT = re.compile(r"(127\.0\.0\.1:)\d+")
HEAD = """\
# Odd archives

What becomes of a result in archives as hospitals have them, and whether the cure that Hilum prints
cures. Each kind of archive was put in the way of a running `hilum serve`, which sent it a result of
two objects. Then the cure was applied as the words say. The page is written by

    hilum archives --out docs/explanation/archives.md

which starts all that it needs.

- *shown*: how many of the objects the archive holds under the UIDs that they were sent with.
- *sent*: how often the object came that came most often. What an archive has accepted is never sent
  again by itself.
- *state*: of the [delivery](../reference/glossary.md), when nothing goes on by itself, and what
  Hilum says of it.
- *cure*: what was done; then shown, sent and state once more. Asking is waited for only a few
  seconds here (`proof_seconds`); the default is an hour.
"""


def as_markdown(rows: Sequence[TriedArchive]) -> str:
    """The page, a section for each group of cases."""
    wrong = sum(bool(row.wrong) for row in rows)
    cures = sum(row.after is not None for row in rows)
    parts = [
        HEAD,
        f"{len(rows)} archives, {cures} cures applied; {len(rows) - wrong} right, {wrong} wrong.\n",
    ]
    head = "| | the archive | shown | sent | state | what Hilum says | cure, and then | |"
    parts += by_group(rows, (head, "|--:|---|--:|--:|---|---|---|---|"), _line)
    return "\n".join(parts)


def _line(number: int, row: TriedArchive) -> str:
    case = row.case
    cells = (
        str(number),
        _cell(case.name),
        _shown(row.before),
        f"{row.before.sent}: {case.why}" if case.why else str(row.before.sent),
        str(row.before.state),
        _cell(row.before.text),
        _cure(row),
        f"**wrong**: {_cell(row.wrong)}" if row.wrong else "right",
    )
    return f"| {' | '.join(cells)} |"


def _cure(row: TriedArchive) -> str:
    cure, after = row.case.cure, row.after
    if cure is None or after is None:
        return ""
    typed = "" if cure.act is Act.NOTHING else f", `{cure.act}`"
    why = f" ({_why_again(row)})" if after.sent > row.before.sent else ""
    then = f"{_shown(after)} shown, sent {after.sent}{why}, *{after.state}*"
    return f"{_cell(cure.done)}{typed}: {then}"


def _why_again(row: TriedArchive) -> str:
    if row.before.state is DeliveryState.NOT_SHOWN:
        return "a person had what was not shown sent again"
    return "it had been refused" if row.before.sent else "it had not come before"


def _shown(outcome: CaseOutcome) -> str:
    return f"{outcome.shown} of {outcome.owed}"


def _cell(text: str) -> str:
    """Text that fits a cell and means nothing to Markdown."""
    text = PORT.sub(r"\1PORT", " ".join(text.split()))
    short = text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} ..."
    return short.replace("|", "\\|").replace("<", "&lt;")
