"""The command that says why there is no result where somebody looks for it."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    app,
    clock,
    out,
    print_json,
    site_and_records,
)
from hilum.cli.finding import FROM_INPUT
from hilum.cli.headers import headers_only
from hilum.processes.process import lasting
from hilum.wording import sentence

if TYPE_CHECKING:
    from hilum.why.archives import ArchiveAnswer
    from hilum.why.explanation import Explanation

MOST_OTHERS = 5


@app.command()
def why(
    what: Annotated[
        str,
        typer.Argument(
            help="Accession number, patient ID, address or Study Instance UID, or the id of a "
            "workitem; of the latter two the end is enough. - reads it from standard input."
        ),
    ],
    records_only: Annotated[
        bool, typer.Option("--records-only", help="Do not ask archives whether they have it.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say in one sentence why there is no result of a study, and what to do about it.

    What is on record is said at once; what archives answer is added as it comes, within 5 s. The
    exit status is 0 where all is well, 1 where it is not.
    """
    from hilum.audit import AuditedAct, AuditedObject, ObjectType
    from hilum.cli.audited import audited
    from hilum.why.question import explain

    wanted = sys.stdin.readline() if what == FROM_INPUT else what
    site, records = site_and_records(config)
    with audited(site, AuditedAct.SEARCHED, AuditedObject(ObjectType.SEARCH, "why not")):
        first = explanation = explain(site, records, wanted, time.time())
    if not as_json:
        _show(explanation)
    answers: list[ArchiveAnswer] = []
    if not records_only:
        from hilum.why.archives import archives_of, ask_archives, with_answer
        from hilum.why.question import search_for

        with headers_only(), lasting():
            for answer in ask_archives(archives_of(site), search_for(records, wanted)):
                is_news = str(answer) not in map(str, answers)  # or source and destination say it
                answers.append(answer)
                explanation = with_answer(explanation, answer, site)
                if is_news and not as_json:
                    out.print(f"  {escape(str(answer))}")
    if as_json:
        print_json({**vars(explanation), "archives": answers})
    elif explanation != first:
        _show(explanation, besides=False)
    raise typer.Exit(0 if explanation.cause.is_well else 1)


def _show(said: "Explanation", besides: bool = True) -> None:
    """The sentence, since when, what to do; `besides`, also what it rests on and what else is."""
    style = "bold" if said.cause.is_well else "bold yellow"
    out.print(f"[{style}]{escape(said.sentence)}[/]")
    if said.study_uid and besides:
        since = f"  since {clock(said.since)}" if said.since is not None else ""
        out.print(f"  [dim]{said.cause}{since}, study {said.study_uid}[/]")
    for cure in said.cures:
        out.print(f"  What to do: {escape(sentence(str(cure)))}")
    if not besides:
        return
    for line in said.evidence:
        out.print(f"  {escape(line)}")
    for other in said.others[:MOST_OTHERS]:
        out.print(f"  Besides: {escape(other.sentence)}")
    if (more := len(said.others) - MOST_OTHERS) > 0:
        out.print(f"  and {more} more; `--json` shows them")
