"""Commands by which a person has a study analysed otherwise, or its result sent elsewhere."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hilum.cli.acts import WorkitemName
from hilum.cli.app import DEFAULT_CONFIG, Config, StudyName, app, say, site_and_records
from hilum.cli.finding import FROM_INPUT
from hilum.errors import HilumError
from hilum.records.states import RequestAction
from hilum.wording import counted, suggestion

if TYPE_CHECKING:
    from hilum.config.site import Site
    from hilum.missed import MissedStudy
    from hilum.records import Records


@app.command()
def rerun(
    study: Annotated[
        str | None,
        typer.Argument(
            help="Address, accession number, or Study Instance UID, or the end of a UID."
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Instead of one study: those since then that rules have missed."),
    ] = None,
    rule: Annotated[str, typer.Option(help="Only what this rule has missed: its name.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show them.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Have today's rules and modules decide on a study again.

    Also on one that no rule took, that was not applicable, failed or was cancelled. A new result
    replaces the one of before; the same images, rule and module give nothing new.
    """
    from hilum.asking import NOTED, PATIENCE
    from hilum.cli.audited import ask_on_record
    from hilum.records import views

    if bool(study) == bool(since):
        raise HilumError("name a study, or say --since DATE for those that rules have missed")
    if not since and (rule or dry_run):
        raise HilumError("--rule and --dry-run go with --since DATE")
    site, records = site_and_records(config)
    if study:
        study_uid = views.study_called(records, study)
        _tell(*ask_on_record(site, records, RequestAction.RERUN, study_uid=study_uid))
    assert since
    all_done, patience = True, PATIENCE
    for found in _missed(site, records, since, rule):
        say.print(f"{found.study_uid}: {escape(', '.join(found.rules))}: {escape(found.reason)}")
        if dry_run:
            continue
        done, answer = ask_on_record(
            site,
            records,
            RequestAction.RERUN,
            patience=patience,
            study_uid=found.study_uid,
        )
        say.print(f"  {escape(answer)}")
        all_done = all_done and done
        patience = 0.0 if answer == NOTED else PATIENCE  # one that does not run answers to none
    raise typer.Exit(0 if all_done else 1)


def _missed(
    site: "Site", records: "Records", since: datetime, rule: str
) -> "tuple[MissedStudy, ...]":
    """What rules have missed since then, or this one of them."""
    from hilum.hosts.discovery import installed_modules
    from hilum.hosts.place import Place
    from hilum.missed import missed
    from hilum.module import inputs_of

    if rule and rule not in site.rules_by_name:
        raise HilumError(f"no rule is called {rule}{suggestion(rule, site.rules_by_name)}")
    needs = {name: inputs_of(one) for name, one in installed_modules(Place.of(site)).items()}
    rules = [rule] if rule else []
    found = missed(site, records, needs, since.timestamp(), rules=rules)
    say.print(
        f"{counted(found.looked_at, 'study')} looked at, {len(found.found)} would be analysed now"
    )
    return found.found


@app.command()
def analyse(
    study: StudyName,
    module: Annotated[
        str, typer.Option(help="Module to run, whatever the rules say of it and of the series.")
    ] = "",
    send_to: Annotated[
        list[str] | None,
        typer.Option(help="Destination of its result; may be repeated. Without it stays here."),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            help="Analyse a held series that is shorter than announced; the result says "
            "INCOMPLETE.",
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Have a study analysed as you choose: by another module, or although a series is short.

    What a module needs is never passed over, and a series with gaps is never analysed.
    """
    from hilum.cli.audited import ask_on_record
    from hilum.records import views
    from hilum.records.models.requests import Wish

    if bool(module) == incomplete:
        raise HilumError("say what is wanted: --module MODULE, or --incomplete")
    site, records = site_and_records(config)
    study_uid = views.study_called(records, study)
    if not incomplete:
        wish = Wish(module, tuple(send_to or ()))
        asked = RequestAction.ANALYSE
        _tell(*ask_on_record(site, records, asked, study_uid=study_uid, wish=wish))
    held = records.workitems.held(study_uid)
    if not held:
        raise HilumError("nothing of this study is held; `hilum status` shows it")
    _tell(
        *min(  # one that is done goes before those that are not
            (ask_on_record(site, records, RequestAction.ANALYSE_SHORT, item.id) for item in held),
            key=lambda answer: not answer[0],
        )
    )


@app.command("send-on")
def send_on(
    workitem: WorkitemName,
    to: Annotated[list[str], typer.Option(help="Destination in hilum.toml; may be repeated.")],
    images: Annotated[
        bool, typer.Option("--images", help="Send the analysed images along.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Send a result to one more destination; if it is taken back later, then there, too."""
    from hilum.asking import workitem_meant
    from hilum.cli.audited import ask_on_record
    from hilum.records.models.requests import Wish

    site, records = site_and_records(config)
    item = workitem_meant(records, workitem, RequestAction.SEND_ON)
    wish = Wish(destinations=tuple(to), images=images)
    _tell(*ask_on_record(site, records, RequestAction.SEND_ON, item, wish=wish))


@app.command()
def fetch(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY...",
            help="Accession number or Study Instance UID; several are fetched one after the other. "
            "- reads them from standard input, one a line.",
        ),
    ],
    archive: Annotated[
        str, typer.Option("--from", help="Source or destination in hilum.toml that has them.")
    ],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Fetch studies from an archive, and have the rules decide on them.

    The gateway does it, also after this command has ended.
    """
    from hilum.asking import NOTED, PATIENCE, studies_typed

    typed = (sys.stdin.read() if one == FROM_INPUT else one for one in studies)
    wanted = studies_typed("\n".join(typed))
    site, records = site_and_records(config)
    failed, patience = 0, PATIENCE
    for one in wanted:
        if len(wanted) > 1:
            say.print(f"{escape(one)}:")
        done, answer = _fetched(site, records, archive, one, patience)
        failed += not done
        patience = 0.0 if answer == NOTED else PATIENCE  # one that does not run answers to none
    if len(wanted) > 1 and failed:
        say.print(f"{failed} of {counted(len(wanted), 'study')} not fetched")
    raise typer.Exit(1 if failed else 0)


def _fetched(
    site: "Site", records: "Records", archive: str, wanted: str, patience: float
) -> tuple[bool, str]:
    """Have one study fetched, and print how far it is; whether it was not refused, and the end."""
    from hilum.asking import audited_fetch, progress_of, request
    from hilum.audit import AuditedAct
    from hilum.cli.audited import audited
    from hilum.records.models.requests import Wish

    about, chosen = audited_fetch(site, archive, wanted)
    with audited(site, AuditedAct.FETCH, about, chosen) as acting:
        wish = Wish(archive=archive)
        number = request(records, site.data, RequestAction.FETCH, "", wanted, wish=wish)
        last = True, ""
        for last in progress_of(records, number, patience):
            say.print(escape(last[1]))
        done, answer = last
        if not done:
            acting.failure = answer
    return last


def _tell(done: bool, answer: str) -> None:
    """Print what the gateway says, and end."""
    say.print(escape(answer))
    raise typer.Exit(0 if done else 1)
