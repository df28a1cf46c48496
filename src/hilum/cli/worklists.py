"""The command that asks the worklists, and shows which of their steps are ours."""

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, out, print_json, records_if_any
from hilum.cli.lines import worklist_line
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
    asked = []
    for view, settings in zip(views.worklists(site, records), site.worklist, strict=True):
        answers, answer = answer_of(settings)
        asked.append({**vars(view), "answers": answers, "answer": answer})
        if not as_json:
            out.print(worklist_line(view))
            out.print(f"  {escape(answer)}", style=None if answers else "bold red")
            for step in view.steps:
                said = f"{step.module} on study {step.study_uid} {step.told} {step.problem}"
                out.print(f"  {step.state}: {escape(said.strip())}")
    if as_json:
        print_json(asked)
    raise typer.Exit(0 if all(one["answers"] for one in asked) else 1)
