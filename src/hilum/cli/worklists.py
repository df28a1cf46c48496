"""The command that asks the worklists, and shows which of their steps are ours."""

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, out, print_json, records_if_any
from hilum.errors import HilumError


@app.command()
def worklists(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every worklist whether it answers, and show its steps that have not ended."""
    from hilum.config import load
    from hilum.worklists import answer_of

    site = load(config)
    if not site.worklist:
        raise HilumError(f"{config} defines no [[worklist]]: add one to work from it")
    records = records_if_any(site)
    asked = []
    for settings in site.worklist:
        answers, answer = answer_of(settings)
        steps = records.steps.open_of(settings.name)
        about = {"name": settings.name, "kind": settings.kind, "answers": answers}
        asked.append({**about, "answer": answer, "steps": steps})
        if not as_json:
            out.print(f"worklist {settings.name} ({settings.kind})")
            out.print(f"  {escape(answer)}", style=None if answers else "bold red")
            for step in steps:
                said = f"{step.module} on study {step.study_uid} {step.told} {step.problem}"
                out.print(f"  {step.state}: {escape(said.strip())}")
    if as_json:
        print_json(asked)
    raise typer.Exit(0 if all(one["answers"] for one in asked) else 1)
