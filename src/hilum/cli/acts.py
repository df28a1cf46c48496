"""Commands by which a person acts on one workitem while the service runs."""

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.app import DEFAULT_CONFIG, Config, app, out, say, site_and_records
from hilum.records.states import RequestAction
from hilum.terminal import progress_of_steps
from hilum.wording import counted

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.records import Records
    from hilum.records.models.requests import Wish

GOES_ON = (RequestAction.RELEASE, RequestAction.RESEND, RequestAction.RETRY)  # after the answer

WorkitemName = Annotated[
    str,
    typer.Argument(help="The end of its id; or its study's address, accession number or UID."),
]


@app.command()
def release(
    workitem: Annotated[
        str | None,
        typer.Argument(
            help="Only this: the end of its id; or its study's address, accession number or UID."
        ),
    ] = None,
    destination: Annotated[str, typer.Option(help="Only what this destination refused.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Send again what was parked, after you have removed the cause: everything, or one workitem."""
    from hilum.acts.asking import workitem_meant
    from hilum.records.models.requests import Wish

    site, records = site_and_records(config)
    if workitem:
        ids = [workitem_meant(records, workitem, RequestAction.RELEASE)]
    else:
        ids = records.deliveries.parked(destination)
    if not ids:
        say.print("nothing is parked")
    wish = Wish(destinations=(destination,)) if destination else None
    _end(_ask_for_all(site, records, RequestAction.RELEASE, ids, wish=wish))


@app.command()
def resend(
    to: Annotated[str, typer.Option(help="The destination that may lack something.")],
    since: Annotated[datetime, typer.Option(help="Only what arrived there since then.")],
    until: Annotated[
        datetime | None, typer.Option(help="Only what had arrived there by then.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it lacks.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Send again what a destination has lost, such as by the restoring of a backup.

    It is asked for everything that arrived there. What it shows is not sent.
    """
    from hilum.acts.resending import lacks

    site, records = site_and_records(config)
    period = (since.timestamp(), until.timestamp() if until else math.inf)
    with progress_of_steps(say) as progress:
        found = list(lacks(site, records, to, period, progress))
    for lack in found:
        what = f"{lack.missing} of {counted(lack.of, 'object')} missing"
        if lack.removed:
            what = f"cannot be sent again: {lack.removed}"
        about = f"{lack.item.module} {lack.item.id[-8:]} of study {lack.item.study_uid}"
        out.print(escape(f"{about}: {what}"), style="bold red" if lack.removed else None)
    to_send = [lack.item.id for lack in found if not lack.removed]
    if not records.deliveries.arrived_in(to, period):
        say.print(f"nothing had arrived at {to} in this time, so it was not asked")
    elif not to_send:
        say.print(f"{to} lacks nothing that is here")
    all_done = dry_run or _ask_for_all(site, records, RequestAction.RESEND, to_send, to)
    _end(all_done and len(to_send) == len(found))


@app.command()
def retry(
    workitem: WorkitemName,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Analyse again what failed, or send again now what waits for its next attempt.

    What is not applicable or held is judged anew, by the settings as they are now.
    """
    from hilum.acts.asking import to_be_tried_again

    site, records = site_and_records(config)
    ids = to_be_tried_again(records, workitem)
    _end(_ask_for_all(site, records, RequestAction.RETRY, ids))


@app.command()
def begin(workitem: WorkitemName, config: Config = DEFAULT_CONFIG) -> None:
    """Have an analysis that waits begin before all others, whatever the hours of its rule."""
    _request_one(RequestAction.BEGIN, workitem, config)


@app.command()
def cancel(workitem: WorkitemName, config: Config = DEFAULT_CONFIG) -> None:
    """Stop what waits, runs or was not delivered yet, or leave a failure as it is."""
    _request_one(RequestAction.CANCEL, workitem, config)


@app.command()
def withdraw(
    workitem: WorkitemName,
    reason: Annotated[
        str, typer.Option(help="The reason, for people who read the note in the archive.")
    ],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Take a delivered result back: a rejection note goes wherever the result went."""
    _request_one(RequestAction.WITHDRAW, workitem, config, reason)


def _end(all_done: bool) -> None:
    """End the command: 0 if the gateway did all that was asked for, else 1."""
    raise typer.Exit(0 if all_done else 1)


def _request_one(action: RequestAction, workitem: str, config: Path, reason: str = "") -> None:
    from hilum.acts.asking import workitem_meant

    site, records = site_and_records(config)
    ids = [workitem_meant(records, workitem, action)]
    _end(_ask_for_all(site, records, action, ids, reason))


def _ask_for_all(
    site: "Site",
    records: "Records",
    action: RequestAction,
    workitems: list[str],
    reason: str = "",
    wish: "Wish | None" = None,
) -> bool:
    """Ask the gateway for the same with each of `workitems`, ids; whether it did all."""
    from hilum.acts.asking import NOTED, PATIENCE
    from hilum.cli.audited import ask_on_record

    all_done = True
    patience = PATIENCE
    studies: set[str] = set()
    for workitem_id in workitems:
        asked = (action, workitem_id, reason, patience)
        done, answer = ask_on_record(site, records, *asked, wish=wish)
        say.print(f"{workitem_id[-8:]}: {escape(answer)}")
        all_done = all_done and done
        patience = 0.0 if answer == NOTED else PATIENCE
        if done:
            studies.add(records.workitems.one(workitem_id).study_uid)
    if action in GOES_ON and studies:
        shows = f"trace {studies.pop()}" if len(studies) == 1 else "status --unfinished"
        say.print(f"`hilum {shows}` shows what becomes of it")
    return all_done
