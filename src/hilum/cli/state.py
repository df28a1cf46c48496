"""Commands that show how things stand: studies, archives, destinations, one study's trace."""

from typing import Annotated

import typer
from rich.markup import escape

from hilum.cli.app import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    StudyName,
    app,
    clock,
    out,
    print_json,
    records_if_any,
    site_and_records,
)
from hilum.cli.finding import (
    Modalities,
    Modules,
    Page,
    Reason,
    Sort,
    States,
)
from hilum.cli.lines import (
    destination_line,
    nothing,
    quarantined_line,
    received,
    show_answers,
    show_quarantine,
    show_rejections,
    show_studies,
    source_line,
    worklist_line,
)
from hilum.errors import HilumError
from hilum.records.states import StudyOrder
from hilum.severity import Severity
from hilum.wording import clauses, counted

PAGE = 50  # objects
STYLES = {Severity.INFORMATION: "bold", Severity.WARNING: "bold yellow"}  # of alarms


@app.command()
def status(
    page: Page = 1,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Only studies that are not finished, or wait.")
    ] = False,
    state: States = None,
    module: Modules = None,
    modality: Modalities = None,
    reason: Reason = "",
    sort: Sort = StudyOrder.NEWEST,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show the studies that came in and where their results are."""
    from hilum.alarms import alarms_now, views_of
    from hilum.records import views
    from hilum.records.search import StudyQuery

    query = StudyQuery(
        states=tuple(state or ()),
        modules=tuple(module or ()),
        modalities=tuple(modality or ()),
        reason=reason,
        order=sort,
    )
    site, records = site_and_records(config)
    alarms = alarms_now(site, records)
    sources = views.sources(site, records)
    worklists = views.worklists(site, records)
    destinations = views.destinations(site, records)
    studies = views.studies(records, page, unfinished, query=query)
    rejections = records.rejections.since()
    quarantine = views.quarantine(site, newest=10)
    if as_json:
        print_json(
            {
                "alarms": views_of(alarms),
                "sources": sources,
                "worklists": worklists,
                "destinations": destinations,
                **vars(studies),
                "rejections": rejections,
                "quarantine": quarantine,
            }
        )
        return
    for alarm in alarms:
        since = f" since {clock(alarm.since)}" if alarm.since else ""
        style = STYLES.get(alarm.severity, "bold red")
        said = escape(clauses(alarm.text, alarm.cure_here))
        out.print(f"[{style}]alarm{since}, {alarm.severity}[/]: {said}")
    for source in sources:
        out.print(source_line(source))
    for worklist in worklists:
        out.print(worklist_line(worklist))
    for destination in destinations:
        out.print(destination_line(destination))
    show_studies(studies, query, unfinished)
    if not studies.found:
        out.print(nothing(site, studies.total))
    show_rejections(rejections)
    show_quarantine(quarantine)


@app.command()
def quarantine(
    page: Page = 1,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List every object that was received and not taken in: file, why, and what to do."""
    from hilum.config import load
    from hilum.records import views

    site = load(config)
    shown = views.quarantine(site, newest=PAGE, skip=(page - 1) * PAGE)
    pages = max(1, -(-shown.total // PAGE))
    if page > pages:
        raise HilumError(f"there is no page {page}; the last one is {pages}")
    if as_json:
        print_json({**vars(shown), "page": page, "pages": pages})
        return
    if not shown.total:
        out.print("the quarantine is empty")
        return
    out.print(
        f"[bold]{counted(shown.total, 'object')}[/] in {escape(shown.folder)}, page {page}/{pages}"
    )
    for item in shown.objects:
        out.print(quarantined_line(item))
        out.print(f"    {escape(item.advice)}")
    if page < pages:
        out.print(f"`hilum quarantine --page {page + 1}` shows the next ones")


@app.command()
def sources(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask every archive that is watched whether it answers, and show how far the watch is."""
    from hilum.config import load
    from hilum.records import views
    from hilum.sources import answer_of

    site = load(config)
    if not site.source:
        raise HilumError(f"{config} defines no [[source]]: add one to have an archive watched")
    records = records_if_any(site)
    all_answer = show_answers(
        views.sources(site, records), site.source, answer_of, as_json, source_line
    )
    raise typer.Exit(0 if all_answer else 1)


@app.command()
def destinations(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Try what a delivery needs at every destination, and show what it still has to take."""
    from hilum.config import load
    from hilum.destinations import checks_of
    from hilum.records import views

    site = load(config)
    records = records_if_any(site)
    tried = []
    for view, settings in zip(views.destinations(site, records), site.destination, strict=True):
        if not as_json:
            out.print(destination_line(view))
            out.print(f"  receives {received(settings)}")
        checks = []
        for check in checks_of(settings):
            checks.append(check)
            if not as_json:
                text = f"  {check.what}: {escape(check.text)}"
                out.print(text, style=None if check.good else "bold red")
        good = all(check.good for check in checks)
        tried.append({**vars(view), "checks": checks, "good": good})
    if as_json:
        print_json(tried)
    raise typer.Exit(0 if all(one["good"] for one in tried) else 1)


@app.command()
def trace(
    study: StudyName,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show every event of one study in order, with times and reasons, and what people asked for."""
    from contextlib import closing

    from hilum.asked import trace_with_people
    from hilum.audit import AuditStore, audit_file
    from hilum.records import views

    site, records = site_and_records(config)
    with closing(AuditStore(audit_file(site.data))) as store:
        lines = trace_with_people(site, records, store, views.study_called(records, study))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        since = line.at - lines[0].at
        whose = f"[dim]{line.module} {line.workitem[-8:]}[/]  " if line.workitem else ""
        out.print(f"{clock(line.at)}  +{since:8.2f} s  {line.kind:<14} {whose}{escape(line.text)}")
