"""The command that asks the worklists, and shows which of their steps are ours."""

import typer

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, records_if_any
from hilum.cli.lines import show_answers, worklist_line, worklist_steps
from hilum.errors import HilumError


@app.command()
def worklists(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every worklist whether it answers, and show its steps that have not ended."""
    from hilum.config import load
    from hilum.records import views
    from hilum.worklists import answer_of

    site = load(config)
    if not site.worklist:
        raise HilumError(f"{config} defines no [[worklist]]: add one to work from it")
    records = records_if_any(site)
    seen = views.worklists(site, records)
    all_answer = show_answers(
        seen, site.worklist, answer_of, as_json, worklist_line, worklist_steps
    )
    raise typer.Exit(0 if all_answer else 1)
